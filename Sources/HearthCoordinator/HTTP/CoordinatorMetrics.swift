import Foundation
import HearthFleet
import HearthRoofline

/// The coordinator's `/metrics`.
enum CoordinatorMetrics {
    static func text(nodes: [NodeRecord], jobs: [JobState: Int], reports: Int) -> String {
        var out = PrometheusText()
        out.add(
            "hearth_node_up", .gauge, help: "1 when the node was heard from lately.",
            nodes.map { ([("node", $0.node)], $0.isConnected ? 1 : 0) })
        out.add(
            "hearth_node_healthy", .gauge, help: "1 when the node's last probe was good.",
            nodes.map { ([("node", $0.node)], $0.health == .healthy ? 1 : 0) })
        let all = nodes.flatMap { node in node.ceilings.map { (node.node, $0) } }
        func ceiling(_ name: String, _ help: String, _ value: (Ceilings) -> MeasuredValue) {
            out.add(
                name, .gauge, help: help,
                all.map { ([("node", $0.0), ("device", $0.1.device)], value($0.1).median) })
        }
        ceiling("hearth_device_f32_flops_per_second", "Measured f32 ceiling.") { $0.f32FlopsPerSecond }
        ceiling("hearth_device_copy_bytes_per_second", "Measured copy bandwidth.") { $0.copyBytesPerSecond }
        ceiling("hearth_device_read_bytes_per_second", "Measured read bandwidth.") { $0.readBytesPerSecond }
        ceiling("hearth_device_triad_bytes_per_second", "Measured triad bandwidth.") { $0.triadBytesPerSecond }
        ceiling("hearth_device_empty_submit_seconds", "Round trip of an empty submission.") { $0.emptySubmitSeconds }
        out.add(
            "hearth_jobs", .gauge, help: "Jobs by state.",
            JobState.allCases.map { ([("state", $0.rawValue)], Double(jobs[$0] ?? 0)) })
        out.add("hearth_reports_stored_total", .counter, help: "Reports stored.", [([], Double(reports))])
        return out.text
    }
}
