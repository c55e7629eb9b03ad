import Foundation

/// What disks have read and written, and what room is left where Hearth keeps things.
///
/// - Source: the kernel's iostats: sectors of 512 bytes, milliseconds.
struct DiskCollector: Collector {
    /// Where state is.
    private static let folders = ["/", "/var/lib/hearth"]

    func metrics(of host: Host) -> [Metric] {
        // Whole disks: what has a folder in /sys/block and is more than memory.
        let disks = Set(host.names("/sys/block").filter { !$0.hasPrefix("loop") && !$0.hasPrefix("ram") })
        let rows = host.lines("/proc/diskstats").map { $0.split(separator: " ") }
            .filter { $0.count >= 14 && disks.contains(String($0[2])) }
        func each(_ field: Int, times factor: Double) -> [Metric.Sample] {
            rows.compactMap { row in Double(row[field]).map { .init(["disk": String(row[2])], $0 * factor) } }
        }
        let room = Self.folders.compactMap { folder -> (String, [FileAttributeKey: Any])? in
            (try? FileManager.default.attributesOfFileSystem(forPath: folder)).map { (folder, $0) }
        }
        func space(_ key: FileAttributeKey) -> [Metric.Sample] {
            room.compactMap { folder, values in
                (values[key] as? NSNumber).map { .init(["folder": folder], $0.doubleValue) }
            }
        }
        return [
            .counter("hearth_host_disk_read_bytes_total", "Bytes read.", each(5, times: 512)),
            .counter("hearth_host_disk_written_bytes_total", "Bytes written.", each(9, times: 512)),
            .counter("hearth_host_disk_busy_seconds_total", "Time with something to do.", each(12, times: 0.001)),
            .gauge("hearth_host_filesystem_bytes", "Size of the file system of a folder.", space(.systemSize)),
            .gauge("hearth_host_filesystem_free_bytes", "Free on the file system of a folder.", space(.systemFreeSize)),
        ]
    }
}
