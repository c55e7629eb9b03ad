/// Memory and load of AMD's GPUs, as their driver says them.
///
/// - Source: the kernel's amdgpu documentation: mem_info_vram_*, gpu_busy_percent.
struct GraphicsCollector: Collector {
    func metrics(of host: Host) -> [Metric] {
        let folder = "/sys/class/drm"
        let cards = host.numbered(folder, prefix: "card")
        func each(_ file: String, times factor: Double = 1) -> [Metric.Sample] {
            cards.compactMap { card in
                host.number("\(folder)/\(card)/device/\(file)").map { .init(["card": card], $0 * factor) }
            }
        }
        return [
            .gauge("hearth_host_gpu_memory_bytes", "Memory of a GPU.", each("mem_info_vram_total")),
            .gauge("hearth_host_gpu_memory_used_bytes", "Memory of a GPU that is in use.", each("mem_info_vram_used")),
            .gauge(
                "hearth_host_gpu_busy_ratio", "Share of time that a GPU works.", each("gpu_busy_percent", times: 0.01)),
        ]
    }
}
