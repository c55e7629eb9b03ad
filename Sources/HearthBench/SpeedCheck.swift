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
        let flops = try samples(Self.multiplications, of: multiply) { $0.flops }
        // As much as ceilings are measured with: caches do not hold it.
        let count = 32 << 20
        let a = try device.makeTensor([Float](repeating: 1, count: count), [count])
        let c = try device.makeTensor([Float](repeating: 0, count: count), [count])
        let bytes = try samples(
            Self.copies, of: { try probe.submit { try Probe.encode(.copy, a, a, into: c, &$0) } }
        ) { $0.byteCount }
        return DeviceSpeed(
            device: device.selector, deviceName: device.description.name, driver: device.description.driver,
            f32FlopsPerSecond: flops, copyBytesPerSecond: bytes)
    }

    private func samples(
        _ count: Int, of once: () throws -> (cost: Cost, seconds: Double), _ amount: (Cost) -> Double
    ) throws -> MeasuredValue {
        _ = try once()
        return MeasuredValue(
            samples: try (0..<count).map { _ in
                var sum = (amount: 0.0, seconds: 0.0)
                while sum.seconds < Self.sampleSeconds {
                    let one = try once()
                    sum = (sum.amount + amount(one.cost), sum.seconds + one.seconds)
                }
                return sum.amount / sum.seconds
            })!
    }
}
