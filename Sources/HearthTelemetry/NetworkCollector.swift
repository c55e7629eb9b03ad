/// What network devices carried, and lost.
///
/// - Source: proc(5), /proc/net/dev.
struct NetworkCollector: Collector {
    func metrics(of host: Host) -> [Metric] {
        let rows = host.lines("/proc/net/dev").compactMap { line -> (name: String, fields: [Double])? in
            guard let colon = line.firstIndex(of: ":") else { return nil }
            let name = line[..<colon].filter { $0 != " " }
            let fields = line[line.index(after: colon)...].split(separator: " ").compactMap { Double($0) }
            return fields.count >= 16 && name != "lo" ? (String(name), fields) : nil
        }
        func each(_ field: Int) -> [Metric.Sample] { rows.map { .init(["device": $0.name], $0.fields[field]) } }
        return [
            .counter("hearth_host_network_received_bytes_total", "Bytes received.", each(0)),
            .counter("hearth_host_network_sent_bytes_total", "Bytes sent.", each(8)),
            .counter("hearth_host_network_receive_errors_total", "Packets that came damaged.", each(2)),
            .counter("hearth_host_network_receive_drops_total", "Packets that there was no room for.", each(3)),
        ]
    }
}
