/// How busy this machine was since it was last asked: the few quantities that say so on any machine, by name with the base unit at its end.
public struct LoadMeter {
    private let host: Host
    private let energy: EnergyMeter
    private var before: Counters

    /// From now on.
    public init(_ host: Host = Host()) {
        self.host = host
        energy = EnergyMeter(host)
        before = Counters(host, energy, [])
    }

    /// - Parameter others: what others than the kernel say of this machine now.
    /// - Returns: seconds since it was last asked, and what was found; nothing of what this machine does not say.
    public mutating func read(with others: [Metric] = []) -> (seconds: Double, values: [String: Double]) {
        let now = Counters(host, energy, others)
        defer { before = now }
        let seconds = (now.at - before.at) / .seconds(1)
        var values: [String: Double] = [:]
        if now.all > before.all { values["cpu_busy_ratio"] = (now.busy - before.busy) / (now.all - before.all) }
        // A domain that was not there before, or began anew, has no power yet.
        let joules = now.joules.compactMap { domain, joules in before.joules[domain].map { joules - $0 } }
        if joules.contains(where: { $0 > 0 }) {
            values["power_watts"] = joules.reduce(0) { $0 + max(0, $1) } / seconds
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

    private struct Counters {
        let busy, all: Double
        /// By domain.
        var joules: [String: Double]
        let at = ContinuousClock.now

        init(_ host: Host, _ energy: EnergyMeter, _ others: [Metric]) {
            (busy, all) = ProcessorCollector.use(host) ?? (0, 0)
            joules = Dictionary(energy.read().map { ($0.domain, $0.joules) }, uniquingKeysWith: +)
            for sample in others.first(where: { $0.name == NVIDIAGraphics.energyMetric })?.samples ?? [] {
                joules[sample.labels["card"] ?? ""] = sample.value
            }
        }
    }
}
