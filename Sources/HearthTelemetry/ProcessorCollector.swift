/// How busy the processors are, and whether they were slowed down for heat.
///
/// - Source: proc(5), /proc/stat in hundredths of a second; the kernel's thermal_throttle of x86.
struct ProcessorCollector: Collector {
    private static let modes = ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"]

    /// Time of all processors, by what they did.
    static func seconds(_ host: Host) -> [(mode: String, seconds: Double)] {
        let total = host.lines("/proc/stat").first { $0.hasPrefix("cpu ") }?.split(separator: " ").dropFirst() ?? []
        return zip(modes, total).compactMap { mode, ticks in Double(ticks).map { (mode, $0 / 100) } }
    }

    /// Of all processors: everything, and what is not idling or waiting for disks; nil where the kernel does not say.
    static func use(_ host: Host) -> (busySeconds: Double, seconds: Double)? {
        let modes = seconds(host)
        if modes.isEmpty { return nil }
        let all = modes.reduce(0) { $0 + $1.seconds }
        return (all - modes.reduce(0) { ["idle", "iowait"].contains($1.mode) ? $0 + $1.seconds : $0 }, all)
    }

    func metrics(of host: Host) -> [Metric] {
        let seconds = Self.seconds(host).map { Metric.Sample(["mode": $0.mode], $0.seconds) }
        let load = host.text("/proc/loadavg")?.split(separator: " ").first.flatMap { Double($0) }
        let cores = host.numbered("/sys/devices/system/cpu", prefix: "cpu")
        // Each core of a package says the package's.
        let throttled = cores.compactMap {
            host.number("/sys/devices/system/cpu/\($0)/thermal_throttle/package_throttle_count")
        }
        return [
            .counter("hearth_host_cpu_seconds_total", "Time of all processors, by what they did.", seconds),
            .gauge(
                "hearth_host_load1", "Processes that run or wait to, over a minute.", load.map { [.init($0)] } ?? []),
            .gauge("hearth_host_cpus", "Processors.", cores.isEmpty ? [] : [.init(Double(cores.count))]),
            .counter(
                "hearth_host_cpu_throttles_total", "Times that a package was slowed down for heat.",
                throttled.max().map { [.init($0)] } ?? []),
        ]
    }
}

extension Metric.Sample {
    init(_ value: Double) { self.init([:], value) }
}
