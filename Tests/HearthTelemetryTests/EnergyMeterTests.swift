import Foundation
import HearthTelemetry
import Support
import Testing

@Suite struct EnergyMeterTests {
    private func write(_ text: String, _ path: String, in root: String) throws {
        let url = URL(fileURLWithPath: "\(root)/sys/class/\(path)")
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data("\(text)\n".utf8).write(to: url)
    }

    /// As a server with two packages, memory counters and a GPU lays it out.
    @Test func countsFromTheStartAndOverTheEnd() throws {
        let root = try TestPaths.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: root) }
        func set(_ name: String, _ domain: String, _ value: UInt64) throws {
            try write(name, "powercap/\(domain)/name", in: root)
            try write("\(value)", "powercap/\(domain)/energy_uj", in: root)
            try write("262143328850", "powercap/\(domain)/max_energy_range_uj", in: root)
        }
        try set("package-0", "intel-rapl:0", 1_000_000)
        try set("core", "intel-rapl:0:0", 500_000)
        try set("dram", "intel-rapl:0:1", 7)
        try set("package-1", "intel-rapl:1", 262_143_000_000)
        // The whole platform, packages included.
        try set("psys", "intel-rapl:2", 9)
        try write("amdgpu", "hwmon/hwmon3/name", in: root)
        try write("5", "hwmon/hwmon3/energy1_input", in: root)
        try write("coretemp", "hwmon/hwmon4/name", in: root)
        let meter = EnergyMeter(Host(root: root))
        #expect(meter.read().map(\.joules) == [0, 0, 0, 0])
        try set("package-0", "intel-rapl:0", 3_500_000)
        try set("package-1", "intel-rapl:1", 671_150)
        try write("1000005", "hwmon/hwmon3/energy1_input", in: root)
        let readings = meter.read()
        #expect(readings.map(\.domain) == ["package-0", "dram-0", "package-1", "amdgpu-3"])
        #expect(readings.map(\.joules) == [2.5, 0, 1, 1])
        // A counter that cannot be read for once loses nothing.
        try write("not a number", "powercap/intel-rapl:0/energy_uj", in: root)
        #expect(meter.read()[0].joules == 2.5)
        try set("package-0", "intel-rapl:0", 4_000_000)
        #expect(meter.read()[0].joules == 3)
        // Processors and memory; and GPUs for who uses them.
        #expect(meter.total(withGraphics: false) == 4 && meter.total(withGraphics: true) == 5)
    }

    /// A GPU alone is not the machine, nor are processors where a GPU works.
    @Test func aPartIsNotTheWhole() throws {
        let root = try TestPaths.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: root) }
        try write("amdgpu", "hwmon/hwmon0/name", in: root)
        try write("5", "hwmon/hwmon0/energy1_input", in: root)
        #expect(EnergyMeter(Host(root: root)).total(withGraphics: true) == nil)
        try FileManager.default.removeItem(atPath: root + "/sys/class/hwmon")
        try write("package-0", "powercap/intel-rapl:0/name", in: root)
        try write("5", "powercap/intel-rapl:0/energy_uj", in: root)
        let meter = EnergyMeter(Host(root: root))
        #expect(meter.total(withGraphics: false) == 0 && meter.total(withGraphics: true) == nil)
    }

    @Test func aMachineWithoutCountersHasNone() throws {
        #expect(EnergyMeter(Host(root: "/nowhere")).read().isEmpty)
    }
}
