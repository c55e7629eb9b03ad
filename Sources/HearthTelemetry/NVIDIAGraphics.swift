import CNVML

/// NVIDIA's GPUs, as their driver says they are.
///
/// A driver that hangs hangs whoever asks it: a daemon that must not asks through a child.
///
/// - Source: NVIDIA's NVML API reference.
public struct NVIDIAGraphics: Sendable {
    /// There is no library, or no driver that answers.
    public struct Absence: Error, CustomStringConvertible { public let description: String }

    /// Of GPUs that their driver has lost. Labels: `card`; none for those that it could not even name.
    public static let lostMetric = "hearth_host_gpu_lost"
    /// Labels: `card`, `xid`.
    public static let criticalErrorMetric = "hearth_host_gpu_critical_errors_total"

    /// Of a GPU that the driver could not go on with: NVIDIA's number for what happened.
    private struct CriticalError: Hashable { let card, xid: String }

    private let gpus: [cnvml_gpu]
    private var errors: [CriticalError: Int] = [:]

    /// - Throws: `Absence`.
    public init() throws(Absence) {
        if let problem = cnvml_problem() { throw Absence(description: String(cString: problem)) }
        gpus = (0..<cnvml_count()).map { index in
            var gpu = cnvml_gpu()
            cnvml_describe(index, &gpu)
            return gpu
        }
    }

    /// Waits, and counts what happens to a GPU meanwhile. - Returns: early, after an error.
    public mutating func wait(milliseconds: UInt32) {
        var (index, xid): (UInt32, UInt64) = (0, 0)
        guard cnvml_wait_for_error(milliseconds, &index, &xid) else { return }
        errors[CriticalError(card: card(gpus[Int(index)]), xid: "\(xid)"), default: 0] += 1
    }

    /// Joules of each GPU since its driver was loaded, by card.
    public func energy() -> [(card: String, joules: Double)] {
        gpus.enumerated().compactMap { index, gpu in
            let joules = cnvml_joules(UInt32(index))
            return joules.isNaN ? nil : (card(gpu), joules)
        }
    }

    /// What they are now, under the names that other GPUs have, too.
    public func metrics() -> [Metric] {
        let readings = readings()
        func each(
            _ value: KeyPath<cnvml_reading, Double>, _ labels: (String) -> [String: String] = { ["card": $0] }
        ) -> [Metric.Sample] {
            readings.compactMap { gpu, reading in
                reading[keyPath: value].isNaN ? nil : .init(labels(card(gpu)), reading[keyPath: value])
            }
        }
        func chip(_ card: String) -> [String: String] { ["chip": card, "sensor": "gpu"] }
        let throttled =
            each(\.throttled_by_power) { ["card": $0, "reason": "power"] }
            + each(\.throttled_by_heat) { ["card": $0, "reason": "heat"] }
        let unreachable = Double(cnvml_unreachable_count())
        let lost =
            readings.filter(\.reading.is_lost).map { Metric.Sample(["card": card($0.gpu)], 1) }
            + (unreachable > 0 ? [Metric.Sample([:], unreachable)] : [])
        return [
            .gauge(
                "hearth_host_gpu_info", "1 for each GPU that its driver knows.",
                readings.map { gpu, _ in
                    .init(
                        [
                            "card": card(gpu), "name": text(gpu.name), "uuid": text(gpu.uuid),
                            "address": text(gpu.address), "driver": text(gpu.driver),
                        ], 1)
                }),
            .gauge("hearth_host_gpu_memory_bytes", "Memory of a GPU.", each(\.memory_bytes)),
            .gauge("hearth_host_gpu_memory_used_bytes", "Memory of a GPU that is in use.", each(\.memory_used_bytes)),
            .gauge("hearth_host_gpu_busy_ratio", "Share of time that a GPU works.", each(\.busy_ratio)),
            .gauge("hearth_host_gpu_clock_hertz", "Clock of a GPU's multiprocessors.", each(\.clock_hertz)),
            .gauge("hearth_host_gpu_throttled", "1 while a GPU runs slower for want of power or for heat.", throttled),
            .gauge(Self.lostMetric, "GPUs that their driver has lost.", lost),
            .counter(
                "hearth_host_gpu_energy_joules_total", "Energy of a GPU since its driver was loaded.", each(\.joules)),
            .counter(
                "hearth_host_gpu_memory_corrected_errors_total", "Errors of a GPU's memory that were corrected.",
                each(\.corrected_errors)),
            .counter(
                "hearth_host_gpu_memory_uncorrected_errors_total", "Errors of a GPU's memory that were not.",
                each(\.uncorrected_errors)),
            .counter(
                Self.criticalErrorMetric, "Errors that NVIDIA's driver could not go on with, by its number (XID).",
                errors.sorted { ($0.key.card, $0.key.xid) < ($1.key.card, $1.key.xid) }
                    .map { .init(["card": $0.key.card, "xid": $0.key.xid], Double($0.value)) }),
            .gauge("hearth_host_temperature_celsius", "Of a GPU.", each(\.celsius, chip)),
            .gauge("hearth_host_power_watts", "Of a GPU.", each(\.watts, chip)),
        ].filter { !$0.samples.isEmpty }
    }

    private func readings() -> [(gpu: cnvml_gpu, reading: cnvml_reading)] {
        gpus.enumerated().map { index, gpu in
            var reading = cnvml_reading()
            cnvml_read(UInt32(index), &reading)
            return (gpu, reading)
        }
    }

    private func card(_ gpu: cnvml_gpu) -> String { "nvidia\(gpu.minor)" }

    /// A C array of characters with a zero at its end.
    private func text<T>(_ characters: T) -> String {
        withUnsafeBytes(of: characters) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}
