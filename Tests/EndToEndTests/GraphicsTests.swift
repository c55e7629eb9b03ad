import Foundation
import HearthFleet
import HearthTelemetry
import Support
import Testing

/// NVIDIA's GPUs by a library that stands in for the driver's: no machine of the tests has one.
@Suite(.serialized) struct GraphicsTests {
    private let folder: String
    private let environment: [String: String]

    init() throws {
        folder = try TestPaths.temporaryFolder()
        environment = ["LD_LIBRARY_PATH": folder, "FAKE_NVML": folder]
        let source = TestPaths.repository.appending(path: "Tests/Data/nvml/nvml.c").path
        let built = try Program.tool(
            "/usr/bin/cc", ["-shared", "-fPIC", "-o", "\(folder)/libnvidia-ml.so.1", source])
        try #require(built.status == 0, "\(built.error)")
    }

    private func tell(_ name: String, _ text: String = "") throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name)"), options: .atomic)
    }

    @Test func aDriverIsReadAsItSays() throws {
        let said = try Program.run(["gpus"], environment: environment)
        try #require(said.status == 0, "\(said.error)")
        let metrics = try JSONDecoder().decode([Metric].self, from: Data(said.out.utf8))
        func value(_ name: String, _ labels: [String: String]) -> Double? {
            metrics.first { $0.name == "hearth_host_" + name }?.samples.first { $0.labels == labels }?.value
        }
        let first = ["card": "nvidia0"]
        let description = first.merging(
            ["name": "Test \"GPU\"", "uuid": "GPU-0", "address": "0000:1a:00.0", "driver": "580.95.05"]) { $1 }
        for (name, labels, expected) in [
            ("gpu_info", description, 1), ("gpu_memory_bytes", first, 150 * 1_073_741_824),
            ("gpu_memory_used_bytes", first, 50 * 1_073_741_824), ("gpu_busy_ratio", first, 0.75),
            ("gpu_clock_hertz", first, 1.98e9), ("gpu_energy_joules_total", first, 1002.5),
            ("gpu_memory_corrected_errors_total", first, 7), ("gpu_memory_uncorrected_errors_total", first, 1),
            ("gpu_throttled", first.merging(["reason": "power"]) { $1 }, 1),
            ("gpu_throttled", first.merging(["reason": "heat"]) { $1 }, 0),
            ("temperature_celsius", ["chip": "nvidia0", "sensor": "gpu"], 61),
            ("power_watts", ["chip": "nvidia0", "sensor": "gpu"], 412.5),
            ("gpu_memory_bytes", ["card": "nvidia5"], 150 * 1_073_741_824),
        ] as [(String, [String: String], Double)] {
            #expect(value(name, labels) == expected, "\(name) \(labels)")
        }
        // What the second does not say is not there, rather than zero.
        #expect(
            value("gpu_busy_ratio", ["card": "nvidia5"]) == nil && value("gpu_throttled", ["card": "nvidia5"]) == nil)
        #expect(!metrics.contains { $0.name == NVIDIAGraphics.criticalErrorMetric })
    }

    @Test func noDriverIsSaid() throws {
        try tell("no-driver")
        let unloaded = try Program.run(["gpus"], environment: environment)
        #expect(unloaded.status == 69 && unloaded.error.contains("Driver Not Loaded"))
        #expect(try Program.run(["gpus", "--every", "0"]).status == 64)
        // Nothing of a library, whatever this machine has.
        try tell("libnvidia-ml.so.1", "none")
        let without = try Program.run(["gpus"], environment: environment)
        #expect(without.status == 69 && without.error.contains("libnvidia-ml.so.1"))
    }

    /// One that is not to be had does not take the others along.
    @Test func aGPUThatIsGoneIsSaid() throws {
        func lost() throws -> [Metric.Sample]? {
            let metrics = try JSONDecoder().decode(
                [Metric].self, from: Data(try Program.run(["gpus"], environment: environment).out.utf8))
            #expect(metrics.first { $0.name == "hearth_host_gpu_busy_ratio" }?.samples.first?.value == 0.75)
            return metrics.first { $0.name == NVIDIAGraphics.lostMetric }?.samples
        }
        try tell("no-permission")
        #expect(try lost() == nil)
        try FileManager.default.removeItem(atPath: folder + "/no-permission")
        try tell("unreachable")
        #expect(try lost() == [.init([:], 1)])
        try FileManager.default.removeItem(atPath: folder + "/unreachable")
        try tell("lost")
        #expect(try lost() == [.init(["card": "nvidia0"], 1)])
    }

    /// Through the agent: its metrics, its loads, its health.
    @Test func anAgentWatchesItsGPUs() throws {
        let fleet = try Fleet()
        fleet.environment = environment
        try fleet.startCoordinator()
        try fleet.startAgent(settings: "sampleLoadSeconds: 1\n")
        func metrics() throws -> String { try Program.tool("/usr/bin/curl", ["-s", "\(fleet.agentURL)/metrics"]).out }
        try fleet.wait(60) { try fleet.healthyCount() == 1 }
        let line = "hearth_host_gpu_busy_ratio{card=\"nvidia0\"} 0.75"
        try fleet.wait(20) { try metrics().contains(line) }
        #expect(try metrics().contains("hw_gpu_utilization_ratio{hw_id=\"nvidia0\"} 0.75"))
        try fleet.wait(30) {
            try fleet.get("/v1/nodes/n1/loads").contains("gpu_busy_ratio.nvidia0")
                && fleet.get("/v1/nodes/n1/loads").contains("power_watts")
        }

        // A program's own mistake says nothing of the device; a GPU that fell off its bus does.
        try tell("xid", "31")
        try fleet.wait(20) {
            try metrics().contains("hearth_host_gpu_critical_errors_total{card=\"nvidia0\",xid=\"31\"} 1.0")
        }
        #expect(try fleet.healthyCount() == 1)
        try tell("xid", "79")
        try fleet.wait(20) {
            let node = try #require(try fleet.nodes().first)
            return node.health == .suspect && node.evidence?.contains("nvidia0: critical error 79 (XID)") == true
        }

        // A driver that answers no more costs a child, and what it said is not shown for new.
        try tell("hang")
        try fleet.wait(40) {
            try fleet.nodes().first?.evidence?.contains("NVIDIA's driver has not answered for 13 s") == true
        }
        #expect(try !metrics().contains(line))
        try FileManager.default.removeItem(atPath: folder + "/hang")
        try fleet.wait(40) { try metrics().contains(line) }
        try fleet.wait(20) { try fleet.nodes().first?.evidence?.contains("not answered") == false }
        try tell("lost")
        try fleet.wait(20) { try fleet.nodes().first?.evidence?.contains("nvidia0 is lost to its driver") == true }
        func children() throws -> String {
            try Program.tool("/usr/bin/pgrep", ["-f", "gpus --every 1.0 --into \(fleet.folder)"]).out
        }
        // One that hangs as its agent is killed is the next agent's to end, before it begins its own.
        let first = try children()
        #expect(!first.isEmpty)
        try tell("hang")
        Thread.sleep(forTimeInterval: 2)
        fleet.kill("agent")
        #expect(try children() == first)
        try fleet.startAgent(settings: "sampleLoadSeconds: 1\n")
        try fleet.wait(10) {
            let now = try children()
            return now != first && now.split(separator: "\n").count == 1
        }
        // One that does not hang ends with its agent.
        try FileManager.default.removeItem(atPath: folder + "/hang")
        try fleet.wait(60) { try metrics().contains("hearth_host_gpu_lost{card=\"nvidia0\"} 1.0") }
        fleet.kill("agent")
        try fleet.wait(10) { try children().isEmpty }
    }
}
