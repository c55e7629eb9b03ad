import HearthRoofline

extension Ceilings {
    /// Of a device that makes `rate` of everything a second, and submits in no time: figures to be reckoned by hand.
    public static func even(_ rate: Double = 1e9, device: String = "cpu") -> Ceilings {
        let value = MeasuredValue(samples: [rate])!
        return Ceilings(
            device: device, deviceName: "d", driver: "d", measuredAt: 0, f32FlopsPerSecond: value,
            copyBytesPerSecond: value, readBytesPerSecond: value, triadBytesPerSecond: value,
            hostToDeviceBytesPerSecond: value, deviceToHostBytesPerSecond: value,
            emptySubmitSeconds: MeasuredValue(samples: [0])!)
    }
}
