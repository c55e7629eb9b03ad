import Dispatch
import Synchronization

/// What parts of this machine have used since the meter was made, from the kernel's counters: RAPL (packages and memory; root reads them)
/// and hwmon's (GPUs, boards), and from NVIDIA's driver. Machines and virtual machines without counters have no domains.
///
/// - Source: the kernel's documentation of powercap and of hwmon's sysfs interface: microjoules, RAPL's wrap around.
public final class EnergyMeter: Sendable {
    public struct Reading: Sendable, Hashable {
        /// `package-0`, `dram-0`, `amdgpu-1`, `nvidia0`.
        public let domain: String
        public let joules: Double
    }

    private struct Counter {
        let domain: String
        let file: String
        /// Where it wraps; nil: never.
        let range: UInt64?
        var last: UInt64
        var microjoules: UInt64 = 0
    }

    private let host: Host
    private let counters: Mutex<[Counter]>
    private let graphics: NVIDIAGraphics?
    private let graphicsBefore: [String: Double]
    /// Reads once a minute: a counter that wraps is counted right only if it does so once between readings.
    private nonisolated(unsafe) let timer: any DispatchSourceTimer

    /// - Parameter graphics: NVIDIA's GPUs, for who uses them anyway; nil: they are not asked.
    public init(_ host: Host = Host(), graphics: NVIDIAGraphics? = nil) {
        self.host = host
        self.graphics = graphics
        counters = Mutex(Self.rapl(host) + Self.sensors(host))
        graphicsBefore = Dictionary(graphics?.energy() ?? []) { first, _ in first }
        timer = DispatchSource.makeTimerSource(queue: .global())
        timer.schedule(deadline: .now() + Self.betweenReadings, repeating: Self.betweenReadings)
        timer.setEventHandler { [weak self] in _ = self?.kernelReadings() }
        timer.resume()
    }

    deinit { timer.cancel() }

    private static let betweenReadings = 60.0

    /// What the whole machine used so far, as far as counters see it; nil where they do not see processors, or, `withGraphics`, no GPU: a part
    /// would pass for the whole.
    public func total(withGraphics: Bool) -> Double? {
        let readings = read()
        let processors = readings.filter { $0.domain.hasPrefix("package-") || $0.domain.hasPrefix("dram-") }
        let isWhole = !processors.isEmpty && (!withGraphics || readings.count > processors.count)
        return isWhole ? (withGraphics ? readings : processors).reduce(0) { $0 + $1.joules } : nil
    }

    /// Each domain's energy so far.
    public func read() -> [Reading] {
        let cards = (graphics?.energy() ?? []).compactMap { card, joules in
            graphicsBefore[card].map { Reading(domain: card, joules: max(0, joules - $0)) }
        }
        return kernelReadings() + cards
    }

    private func kernelReadings() -> [Reading] {
        counters.withLock { counters in
            for index in counters.indices {
                guard let now = Self.microjoules(host, counters[index].file) else { continue }
                let last = counters[index].last
                if now >= last {
                    counters[index].microjoules += now - last
                } else if let range = counters[index].range, range >= last {
                    counters[index].microjoules += range - last + now
                }
                counters[index].last = now
            }
            return counters.map { Reading(domain: $0.domain, joules: Double($0.microjoules) / 1e6) }
        }
    }

    /// `intel-rapl:0` is a package, `intel-rapl:0:0` a part of it; memory alone is not in its package's sum. The platform (`psys`) is
    /// packages and more.
    private static func rapl(_ host: Host) -> [Counter] {
        let folder = "/sys/class/powercap"
        return host.names(folder).filter { $0.hasPrefix("intel-rapl:") }.compactMap { entry in
            let indices = entry.dropFirst("intel-rapl:".count).split(separator: ":")
            guard let name = host.text("\(folder)/\(entry)/name"), name != "psys",
                indices.count == 1 || name == "dram",
                let last = microjoules(host, "\(folder)/\(entry)/energy_uj")
            else { return nil }
            return Counter(
                domain: name == "dram" ? "dram-\(indices[0])" : name, file: "\(folder)/\(entry)/energy_uj",
                range: microjoules(host, "\(folder)/\(entry)/max_energy_range_uj"), last: last)
        }
    }

    private static func sensors(_ host: Host) -> [Counter] {
        let folder = "/sys/class/hwmon"
        return host.numbered(folder, prefix: "hwmon").compactMap { entry in
            let file = "\(folder)/\(entry)/energy1_input"
            guard let last = microjoules(host, file) else { return nil }
            let name = host.text("\(folder)/\(entry)/name") ?? "hwmon"
            return Counter(domain: "\(name)-\(entry.dropFirst("hwmon".count))", file: file, range: nil, last: last)
        }
    }

    private static func microjoules(_ host: Host, _ file: String) -> UInt64? { host.text(file).flatMap { UInt64($0) } }
}
