/// Memory of the machine and of each of its NUMA nodes.
///
/// - Source: proc(5), /proc/meminfo and the nodes' meminfo, in KiB.
struct MemoryCollector: Collector {
    func metrics(of host: Host) -> [Metric] {
        func bytes(_ field: String, _ path: String) -> Double? {
            // `MemTotal:  24 kB`, in a node's file `Node 0 MemTotal:  24 kB`.
            for line in host.lines(path) {
                guard let name = line.range(of: field + ":") else { continue }
                return line[name.upperBound...].split(separator: " ").first.flatMap { Double($0) }.map { $0 * 1024 }
            }
            return nil
        }
        func all(_ name: String, _ field: String, _ help: String) -> Metric {
            .gauge(name, help, bytes(field, "/proc/meminfo").map { [.init($0)] } ?? [])
        }
        let nodes = host.numbered("/sys/devices/system/node", prefix: "node")
        func each(_ name: String, _ field: String, _ help: String) -> Metric {
            .gauge(
                name, help,
                nodes.compactMap { node in
                    bytes(field, "/sys/devices/system/node/\(node)/meminfo").map { .init(["node": node], $0) }
                })
        }
        return [
            all("hearth_host_memory_bytes", "MemTotal", "Memory."),
            all("hearth_host_memory_available_bytes", "MemAvailable", "Memory that a new process can have."),
            all("hearth_host_swap_free_bytes", "SwapFree", "Swap space that is free."),
            each("hearth_host_numa_memory_bytes", "MemTotal", "Memory of a NUMA node."),
            each("hearth_host_numa_memory_free_bytes", "MemFree", "Memory of a NUMA node that nothing is in."),
        ]
    }
}
