import Foundation
import HearthCompute

/// The devices that conformance suites run on: the CPU, and every Vulkan device, software ones included.
public enum TestDevices {
    public static let selectors: [String] = Device.list().devices.filter { $0.unusable == nil }.map(\.selector)

    public static let vulkan = selectors.filter { $0 != "cpu" }

    /// Opened once each: opening a device is not what the suites test.
    private static let opened: [String: Device] = {
        var all: [String: Device] = [:]
        for selector in selectors { all[selector] = try? Device.open(DeviceSelector(selector)) }
        return all
    }()

    public static func device(_ selector: String) throws -> Device {
        guard let device = opened[selector] else { throw DeviceError(.noSuchDevice, "cannot open \(selector)") }
        return device
    }
}

/// Deterministic test data.
public struct TestRandom: RandomNumberGenerator {
    private var state: UInt64
    public init(_ seed: UInt64) { state = seed }

    public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    public mutating func floats(_ count: Int, in range: ClosedRange<Float> = -1...1) -> [Float] {
        (0..<count).map { _ in Float.random(in: range, using: &self) }
    }
}

/// Largest absolute difference from the reference.
public func largestError(_ values: [Float], _ reference: [Double]) -> Double {
    guard values.count == reference.count else { return .infinity }
    // A NaN is never close enough.
    return zip(values, reference).map { abs(Double($0) - $1) }.reduce(0) { $1.isNaN ? .infinity : max($0, $1) }
}

/// The rule of docs/measurement.md: at most twice the error of plain f32 loops, with room for one rounding of the result.
public func tolerance(naive: [Float], _ reference: [Double]) -> Double {
    let rounding = (reference.map { abs($0) }.max() ?? 0) * 1.2e-7
    return 2 * largestError(naive, reference) + 4 * rounding + 1e-30
}
