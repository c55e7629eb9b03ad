import Foundation
import HearthTelemetry
import Support
import Testing

@Suite struct HostTests {
    private func values(_ metrics: [Metric], _ name: String) -> [[String: String]: Double] {
        let samples = metrics.first { $0.name == name }?.samples ?? []
        return Dictionary(samples.map { ($0.labels, $0.value) }) { first, _ in first }
    }

    /// This machine, whatever it has.
    @Test func thisMachineIsSeen() throws {
        let metrics = Host().metrics()
        let cpu = values(metrics, "hearth_host_cpu_seconds_total")
        #expect(cpu.count == 8 && (cpu[["mode": "user"]] ?? 0) > 0)
        let memory = try #require(values(metrics, "hearth_host_memory_bytes")[[:]])
        let available = try #require(values(metrics, "hearth_host_memory_available_bytes")[[:]])
        #expect(available < memory && memory > 268_435_456)
        #expect(values(metrics, "hearth_host_cpus")[[:]] == Double(ProcessInfo.processInfo.processorCount))
        #expect(try #require(values(metrics, "hearth_host_filesystem_free_bytes")[["folder": "/"]]) > 0)
        #expect(Set(metrics.map(\.name)).count == metrics.count)
        #expect(
            metrics.allSatisfy {
                $0.isCounter == $0.name.hasSuffix("_total") && !$0.help.isEmpty && !$0.samples.isEmpty
            })
    }

    /// Two readings of a machine whose counters moved on meanwhile.
    @Test func howBusyAMachineIsIsSeen() throws {
        let root = try TestPaths.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: root) }
        func write(_ path: String, _ text: String) throws {
            let file = URL(fileURLWithPath: root + path)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: file)
        }
        try write("/proc/stat", "cpu  100 0 100 700 100 0 0 0 0 0\n")
        try write("/proc/meminfo", "MemTotal:  1000 kB\nMemAvailable: 600 kB\n")
        try write("/sys/class/powercap/intel-rapl:0/name", "package-0\n")
        try write("/sys/class/powercap/intel-rapl:0/energy_uj", "5000000\n")
        try write("/sys/class/hwmon/hwmon0/temp1_input", "45500\n")
        try write("/sys/class/hwmon/hwmon1/temp1_input", "71000\n")
        try write("/sys/class/drm/card1/device/gpu_busy_percent", "nan\n")
        try write("/sys/class/drm/card0/device/gpu_busy_percent", "80\n")
        var meter = LoadMeter(Host(root: root))
        try write("/proc/stat", "cpu  160 0 120 1100 120 0 0 0 0 0\n")
        try write("/sys/class/powercap/intel-rapl:0/energy_uj", "9000000\n")
        let (seconds, values) = meter.read()
        // 80 of 500 ticks were work; 4 J.
        #expect(
            abs((values["cpu_busy_ratio"] ?? 0) - 0.16) < 1e-9 && abs((values["power_watts"] ?? 0) * seconds - 4) < 1e-9
        )
        #expect(values["memory_used_bytes"] == 400 * 1024 && values["temperature_celsius"] == 71)
        #expect(values["gpu_busy_ratio.card0"] == 0.8 && values.count == 5, "\(values)")
        // Nothing moved on since.
        #expect(meter.read().values["cpu_busy_ratio"] == nil)
        var bare = LoadMeter(Host(root: root + "/nothing"))
        #expect(bare.read().values.isEmpty)
    }

    /// A server with what this machine lacks, as its kernel would lay it out, and with files that are not what they should be.
    @Test func aServerIsSeen() throws {
        let root = try TestPaths.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: root) }
        for (path, text) in [
            ("/proc/stat", "cpu  100 200 300 400 0 0 0 50 0 0\ncpu0 1 2 3\nintr 1\n"),
            ("/proc/loadavg", "1.50 1 1 1/2 3\n"),
            ("/proc/meminfo", "MemTotal:  1024 kB\nMemAvailable: 512 kB\n"),
            ("/sys/devices/system/node/node0/meminfo", "Node 0 MemTotal: 600 kB\nNode 0 MemFree: 100 kB\n"),
            ("/sys/devices/system/node/node1/meminfo", "Node 1 MemTotal: 424 kB\n"),
            ("/sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count", "3\n"),
            ("/sys/devices/system/cpu/cpufreq/x", ""), ("/sys/block/nvme0n1/size", "1"), ("/sys/block/loop0/size", "1"),
            (
                "/proc/diskstats",
                " 259 0 nvme0n1 1 2 1000 4 5 6 2000 8 0 1500 9\n 7 0 loop0 1 2 3 4 5 6 7 8 9 10 11\n 1 0 short\n"
            ),
            (
                "/proc/net/dev",
                "Inter-| x\n eth0: 10 2 3 4 0 0 0 0 50 6 0 0 0 0 0 0\n lo: 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1\n odd: x\n"
            ),
            ("/sys/bus/pci/devices/0000:01:00.0/class", "0x030200\n"),
            ("/sys/bus/pci/devices/0000:01:00.0/current_link_width", "8\n"),
            ("/sys/bus/pci/devices/0000:01:00.0/max_link_width", "16\n"),
            ("/sys/bus/pci/devices/0000:01:00.0/current_link_speed", "16.0 GT/s PCIe\n"),
            ("/sys/bus/pci/devices/0000:01:00.0/max_link_speed", "Unknown\n"),
            ("/sys/bus/pci/devices/0000:02:00.0/class", "0x020000\n"),
            ("/sys/bus/pci/devices/0000:02:00.0/current_link_width", "4\n"),
            ("/sys/class/hwmon/hwmon2/name", "amdgpu\n"), ("/sys/class/hwmon/hwmon2/temp1_input", "45500\n"),
            ("/sys/class/hwmon/hwmon2/power1_average", "123000000\n"),
            ("/sys/devices/system/edac/mc/mc0/ce_count", "7\n"),
            ("/sys/devices/system/edac/mc/mc0/ue_count", "none\n"),
            ("/sys/class/drm/card1/device/mem_info_vram_total", "4096\n"),
            ("/sys/class/drm/card1/device/gpu_busy_percent", "25\n"),
            ("/sys/class/drm/card1-DP-1/device/gpu_busy_percent", "99\n"),
        ] {
            let url = URL(fileURLWithPath: root + path)
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: url)
        }
        let metrics = Host(root: root).metrics()
        for (name, labels, value) in [
            ("cpu_seconds_total", ["mode": "system"], 3), ("cpu_seconds_total", ["mode": "steal"], 0.5),
            ("load1", [:], 1.5),
            ("cpus", [:], 1), ("cpu_throttles_total", [:], 3), ("memory_bytes", [:], 1_048_576),
            ("numa_memory_bytes", ["node": "node1"], 434_176), ("disk_read_bytes_total", ["disk": "nvme0n1"], 512_000),
            ("disk_written_bytes_total", ["disk": "nvme0n1"], 1_024_000),
            ("disk_busy_seconds_total", ["disk": "nvme0n1"], 1.5),
            ("network_sent_bytes_total", ["device": "eth0"], 50),
            ("network_receive_drops_total", ["device": "eth0"], 4),
            ("gpu_link_lanes", ["address": "0000:01:00.0"], 8),
            ("gpu_link_gigatransfers", ["address": "0000:01:00.0"], 16),
            ("temperature_celsius", ["chip": "hwmon2", "sensor": "amdgpu"], 45.5),
            ("power_watts", ["chip": "hwmon2", "sensor": "amdgpu"], 123),
            ("memory_corrected_errors_total", ["controller": "mc0"], 7),
            ("gpu_memory_bytes", ["card": "card1"], 4096), ("gpu_busy_ratio", ["card": "card1"], 0.25),
        ] as [(String, [String: String], Double)] {
            let found = values(metrics, "hearth_host_" + name)[labels]
            #expect(found.map { abs($0 - value) < 1e-9 } == true, "\(name) \(labels): \(String(describing: found))")
        }
        // What could not be read is not there, rather than zero.
        for name in [
            "gpu_link_max_gigatransfers", "memory_uncorrected_errors_total", "gpu_memory_used_bytes", "swap_free_bytes",
        ] {
            #expect(values(metrics, "hearth_host_" + name).isEmpty)
        }
        #expect(
            values(metrics, "hearth_host_gpu_link_lanes").count == 1
                && values(metrics, "hearth_host_disk_read_bytes_total").count == 1)
        #expect(
            values(metrics, "hearth_host_gpu_busy_ratio").count == 1
                && values(metrics, "hearth_host_network_sent_bytes_total").count == 1)
    }
}
