/// How busy this machine was since it was last asked: the few quantities that say so on any machine, by name with the base unit at its end.
public struct LoadMeter {
    private let host: Host
    private let energy: EnergyMeter
    private var before: (busy: Double, all: Double, joules: Double, at: ContinuousClock.Instant)

    /// From now on.
    public init(_ host: Host = Host()) {
        self.host = host
        energy = EnergyMeter(host)
        before = Self.counters(host, energy)
    }

    /// - Parameter others: what others than the kernel say of this machine now.
    /// - Returns: seconds since it was last asked, and what was found; nothing of what this machine does not say.
    public mutating func read(with others: [Metric] = []) -> (seconds: Double, values: [String: Double]) {
        let now = Self.counters(host, energy)
        defer { before = now }
        let seconds = (now.at - before.at) / .seconds(1)
        var values: [String: Double] = [:]
        if now.all > before.all { values["cpu_busy_ratio"] = (now.busy - before.busy) / (now.all - before.all) }
        // Others say what they draw; the kernel's sensors are in its counters of energy already.
        let drawn = others.first { $0.name == "hearth_host_power_watts" }?.samples.map(\.value) ?? []
        if now.joules > before.joules || !drawn.isEmpty {
            values["power_watts"] = (now.joules - before.joules) / seconds + drawn.reduce(0, +)
        }
        let metrics = Metric.joined(host.metrics(Self.collectors) + others)
        func samples(_ name: String) -> [Metric.Sample] { metrics.first { $0.name == name }?.samples ?? [] }
        if let all = samples("hearth_host_memory_bytes").first,
            let free = samples("hearth_host_memory_available_bytes").first
        {
            values["memory_used_bytes"] = all.value - free.value
        }
        values["temperature_celsius"] = samples("hearth_host_temperature_celsius").map(\.value).max()
        for (name, metric) in [
            ("gpu_busy_ratio", "hearth_host_gpu_busy_ratio"),
            ("gpu_memory_used_bytes", "hearth_host_gpu_memory_used_bytes"),
        ] {
            for sample in samples(metric) { values["\(name).\(sample.labels["card"] ?? "")"] = sample.value }
        }
        // A driver may say anything.
        return (seconds, values.filter(\.value.isFinite))
    }

    private static let collectors: [any Collector] = [MemoryCollector(), ThermalCollector(), GraphicsCollector()]

    private static func counters(
        _ host: Host, _ energy: EnergyMeter
    ) -> (busy: Double, all: Double, joules: Double, at: ContinuousClock.Instant) {
        let use = ProcessorCollector.use(host) ?? (0, 0)
        return (use.busySeconds, use.seconds, energy.read().reduce(0) { $0 + $1.joules }, .now)
    }
}
