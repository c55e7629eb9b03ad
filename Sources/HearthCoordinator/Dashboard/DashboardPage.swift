import Foundation
import HearthFleet
import HearthRoofline
import Mustache

/// The dashboard: nodes with measured ceilings and health, jobs with predicted against actual time, charts.
struct DashboardPage {
    let html: String

    private static let template = Result { try MustacheTemplate(string: DashboardTemplate.text) }

    init(nodes: [NodeRecord], jobs: [JobRecord], history: [(node: String, ceilings: Ceilings)]) throws {
        let finished = jobs.filter { $0.outcome?.exitCode == 0 && $0.finishedAt != nil }.reversed()
        func points(_ figure: String, scale: Double) -> [LineChart.Series] {
            let grouped = Dictionary(grouping: finished) { "\($0.node ?? "?") \($0.outcome?.device ?? "?")" }
            return grouped.sorted { $0.key < $1.key }.compactMap { name, jobs in
                let values = jobs.compactMap { job in
                    job.outcome?.figures[figure].map { LineChart.Point(time: job.finishedAt!, value: $0 * scale) }
                }
                return values.isEmpty ? nil : LineChart.Series(name: name, points: values)
            }
        }
        let ceilings = Dictionary(grouping: history) { "\($0.node) \($0.ceilings.device)" }.sorted { $0.key < $1.key }
            .map {
                LineChart.Series(
                    name: $0.key,
                    points: $0.value.map {
                        .init(time: $0.ceilings.measuredAt, value: $0.ceilings.bytesPerSecond / 1e9)
                    })
            }
        let charts = [
            LineChart(
                title: "Decode throughput", unit: "tokens/s", series: points("decode_tokens_per_second", scale: 1)),
            LineChart(
                title: "Decode bandwidth reached", unit: "GB/s", series: points("decode_bytes_per_second", scale: 1e-9)),
            LineChart(title: "Measured memory ceiling", unit: "GB/s", series: ceilings),
        ]
        let body = try Self.template.get().render([
            "nodes": nodes.map(Self.node), "hasNodes": !nodes.isEmpty,
            "jobs": jobs.map(Self.job), "hasJobs": !jobs.isEmpty,
            "charts": charts.map { ["svg": $0.svg] },
        ])
        html = PageShell.page("Fleet", body)
    }

    private static func node(_ node: NodeRecord) -> [String: Any] {
        [
            "name": node.node, "version": node.version,
            "health": node.state, "healthClass": node.state == "healthy" ? "good" : "bad",
            "evidence": node.evidence ?? "", "lastSeen": PageShell.time(node.lastSeenAt),
            "devices": node.devices.map { device -> [String: Any] in
                let measured = node.ceilings.first { $0.device == device.selector }
                func rate(_ value: MeasuredValue?) -> String {
                    value.map { String(format: "%.1f", $0.median / 1e9) } ?? "-"
                }
                return [
                    "selector": device.selector, "kind": device.kind, "name": device.name, "driver": device.driver,
                    "memory": String(format: "%.1f", Double(device.memoryByteCount) / Double(1 << 30)),
                    "flops": rate(measured?.f32FlopsPerSecond), "copy": rate(measured?.copyBytesPerSecond),
                    "read": rate(measured?.readBytesPerSecond), "triad": rate(measured?.triadBytesPerSecond),
                    "submit": measured.map { String(format: "%.1f", $0.emptySubmitSeconds.median * 1e6) } ?? "-",
                    "measured": measured.map { PageShell.time($0.measuredAt) } ?? device.unusable ?? "not yet",
                ]
            },
        ]
    }

    private static func job(_ job: JobRecord) -> [String: Any] {
        func seconds(_ value: Double?) -> String { value.map { String(format: "%.2f", $0) } ?? "-" }
        func figure(_ name: String, _ scale: Double, _ format: String) -> String {
            job.outcome?.figures[name].map { String(format: format, $0 * scale) } ?? "-"
        }
        return [
            "id": job.id, "name": job.spec.name, "kind": job.spec.kind.rawValue, "state": job.state.rawValue,
            "node": job.node ?? "-", "hasNode": job.node != nil, "device": job.outcome?.device ?? job.spec.device,
            "predicted": seconds(job.predictedSeconds ?? job.outcome?.predictedSeconds),
            "actual": seconds(job.outcome?.actualSeconds),
            "tokens": figure("decode_tokens_per_second", 1, "%.1f"),
            "bandwidth": figure("decode_bytes_per_second", 1e-9, "%.1f"),
            "share": figure("decode_share_of_bandwidth", 100, "%.0f%%"),
            "note": job.waitingFor ?? job.outcome?.message ?? "", "submitted": PageShell.time(job.submittedAt),
        ]
    }
}
