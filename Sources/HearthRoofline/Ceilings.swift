/// What one device was measured to reach: the roof that every kernel's figure is a share of.
public struct Ceilings: Sendable, Hashable, Codable {
    /// The device's selector, for example `cpu` or `vulkan:0`.
    public var device: String
    public var deviceName: String
    public var driver: String
    /// Seconds since 1970 at the end of the measurement.
    public var measuredAt: Double

    public var f32FlopsPerSecond: MeasuredValue
    /// Of bf16 pairs and of int8 fours; nil where the device has no instruction for them, or was not asked.
    public var bf16FlopsPerSecond: MeasuredValue?
    public var int8OpsPerSecond: MeasuredValue?
    /// Of a GPU's matrix units, f16 with f32 sums; nil where there are none.
    public var f16MatrixFlopsPerSecond: MeasuredValue?
    /// Bytes read plus bytes written a second, c = a.
    public var copyBytesPerSecond: MeasuredValue
    public var readBytesPerSecond: MeasuredValue
    /// Bytes read plus bytes written a second, c = a + s * b.
    public var triadBytesPerSecond: MeasuredValue
    public var hostToDeviceBytesPerSecond: MeasuredValue
    public var deviceToHostBytesPerSecond: MeasuredValue
    /// Round trip of a submission with nothing in it.
    public var emptySubmitSeconds: MeasuredValue

    public init(
        device: String, deviceName: String, driver: String, measuredAt: Double, f32FlopsPerSecond: MeasuredValue,
        copyBytesPerSecond: MeasuredValue, readBytesPerSecond: MeasuredValue, triadBytesPerSecond: MeasuredValue,
        hostToDeviceBytesPerSecond: MeasuredValue, deviceToHostBytesPerSecond: MeasuredValue,
        emptySubmitSeconds: MeasuredValue, bf16FlopsPerSecond: MeasuredValue? = nil,
        int8OpsPerSecond: MeasuredValue? = nil, f16MatrixFlopsPerSecond: MeasuredValue? = nil
    ) {
        self.device = device
        self.deviceName = deviceName
        self.driver = driver
        self.measuredAt = measuredAt
        self.f32FlopsPerSecond = f32FlopsPerSecond
        self.copyBytesPerSecond = copyBytesPerSecond
        self.readBytesPerSecond = readBytesPerSecond
        self.triadBytesPerSecond = triadBytesPerSecond
        self.hostToDeviceBytesPerSecond = hostToDeviceBytesPerSecond
        self.deviceToHostBytesPerSecond = deviceToHostBytesPerSecond
        self.emptySubmitSeconds = emptySubmitSeconds
        self.bf16FlopsPerSecond = bf16FlopsPerSecond
        self.int8OpsPerSecond = int8OpsPerSecond
        self.f16MatrixFlopsPerSecond = f16MatrixFlopsPerSecond
    }

    /// The compute roof of a kind of arithmetic; f32's where it was not measured.
    public func flopsPerSecond(_ arithmetic: Arithmetic) -> MeasuredValue {
        switch arithmetic {
        case .f32: f32FlopsPerSecond
        case .bf16: bf16FlopsPerSecond ?? f32FlopsPerSecond
        case .int8: int8OpsPerSecond ?? f32FlopsPerSecond
        case .f16Matrix: f16MatrixFlopsPerSecond ?? f32FlopsPerSecond
        }
    }

    /// What is wrong with the values, which somebody else may have sent; nil when nothing is.
    public var problem: String? {
        func isRate(_ value: MeasuredValue?) -> Bool {
            guard let value else { return true }
            return [value.lowerQuartile, value.median, value.upperQuartile].allSatisfy { $0 > 0 && $0 < 1e21 }
        }
        let rates = [
            f32FlopsPerSecond, bf16FlopsPerSecond, int8OpsPerSecond, f16MatrixFlopsPerSecond, copyBytesPerSecond,
            readBytesPerSecond, triadBytesPerSecond, hostToDeviceBytesPerSecond, deviceToHostBytesPerSecond,
        ]
        guard rates.allSatisfy(isRate) else { return "a rate is not above 0 and below 1e21" }
        let submit = emptySubmitSeconds.median
        return submit >= 0 && submit < 1e6 && measuredAt.isFinite ? nil : "a time is not from 0 up"
    }

    /// The memory roof: the best of the three measured bandwidths.
    public var bytesPerSecond: Double {
        max(copyBytesPerSecond.median, readBytesPerSecond.median, triadBytesPerSecond.median)
    }
}
