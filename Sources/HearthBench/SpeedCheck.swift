import Foundation
import HearthCompute
import HearthKernels
import HearthRoofline

/// Measures in about two seconds how fast a device is now.
///
/// Each sample lasts a fifth of a second: what holds a device back by the tenth of a second, as a processor quota does, shows in every
/// one, and what somebody else does for a moment only in some.
public struct SpeedCheck {
    private let probe: CeilingProbe
    private static let sampleSeconds = 0.2
    private static let (multiplications, copies) = (7, 5)

    public init(_ device: Device) { probe = CeilingProbe(device) }

    public func run() throws -> DeviceSpeed {
        let device = probe.device
        guard let multiply = try probe.multiply(.f32) else { throw DeviceError(.invalid, "no f32 multiply-add") }
        let arithmetic = try samples(Self.multiplications, of: multiply)
        // As much as ceilings are measured with: caches do not hold it.
        let count = 32 << 20
        let a = try device.makeTensor(repeating: 1, [count])
        let c = try device.makeTensor(repeating: 0, [count])
        let copies = try samples(Self.copies) { try probe.submit { try Probe.encode(.copy, a, a, into: c, &$0) } }
        var speed = DeviceSpeed(
            device: device.selector, deviceName: device.description.name, driver: device.description.driver,
            f32FlopsPerSecond: arithmetic.rate(\.cost.flops), copyBytesPerSecond: copies.rate(\.cost.byteCount))
        if device.description.kind == .cpu { speed.coresGiven = arithmetic.rate(\.processorSeconds) }
        return speed
    }

    private func samples(_ count: Int, of once: () throws -> (cost: Cost, seconds: Double)) throws -> [Sample] {
        _ = try once()
        return try (0..<count).map { _ in
            var sample = Sample()
            let start = Self.processorSeconds
            while sample.seconds < Self.sampleSeconds {
                let one = try once()
                (sample.cost, sample.seconds) = (sample.cost + one.cost, sample.seconds + one.seconds)
            }
            sample.processorSeconds = Self.processorSeconds - start
            return sample
        }
    }

    /// Of all threads of this process.
    private static var processorSeconds: Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}

private struct Sample {
    var cost = Cost()
    var (seconds, processorSeconds) = (0.0, 0.0)
}

extension [Sample] {
    /// A second's worth of an amount.
    fileprivate func rate(_ amount: (Sample) -> Double) -> MeasuredValue {
        MeasuredValue(samples: map { amount($0) / $0.seconds })!
    }
}
