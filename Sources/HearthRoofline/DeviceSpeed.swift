/// How fast a device is now: a short measurement, repeated to see whether it becomes slower.
public struct DeviceSpeed: Sendable, Hashable, Codable {
    public var device: String
    public var deviceName: String
    public var driver: String
    public var f32FlopsPerSecond: MeasuredValue
    /// Bytes read plus bytes written.
    public var copyBytesPerSecond: MeasuredValue
    /// Processor cores that the arithmetic ran on, where the device is the processor; nil elsewhere. It scatters far less than the rates: a
    /// quota or a hypervisor shows here first.
    public var coresGiven: MeasuredValue?
    /// Processor cores that others took meanwhile, where the device is the processor; nil elsewhere.
    public var otherCores: Double?

    public init(
        device: String, deviceName: String, driver: String, f32FlopsPerSecond: MeasuredValue,
        copyBytesPerSecond: MeasuredValue
    ) {
        (self.device, self.deviceName, self.driver) = (device, deviceName, driver)
        (self.f32FlopsPerSecond, self.copyBytesPerSecond) = (f32FlopsPerSecond, copyBytesPerSecond)
    }

    /// A measurement beside others' work says nothing of the device.
    public var isUndisturbed: Bool { otherCores.map { $0 <= Self.tolerableCores } ?? true }

    /// Of every core that is measured, others take a few milliseconds a second at any time.
    public static let tolerableCores = 0.1
}
