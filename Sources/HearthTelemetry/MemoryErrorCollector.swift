/// Errors of memory that ECC has corrected, and those that it could not.
///
/// - Source: the kernel's EDAC sysfs interface.
struct MemoryErrorCollector: Collector {
    func metrics(of host: Host) -> [Metric] {
        let folder = "/sys/devices/system/edac/mc"
        let controllers = host.numbered(folder, prefix: "mc")
        func each(_ file: String) -> [Metric.Sample] {
            controllers.compactMap { mc in host.number("\(folder)/\(mc)/\(file)").map { .init(["controller": mc], $0) }
            }
        }
        return [
            .counter("hearth_host_memory_corrected_errors_total", "Errors that were corrected.", each("ce_count")),
            .counter("hearth_host_memory_uncorrected_errors_total", "Errors that were not.", each("ue_count")),
        ]
    }
}
