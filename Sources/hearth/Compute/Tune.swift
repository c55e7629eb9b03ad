import ArgumentParser
import HearthBench
import HearthCompute

struct Tune: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tune",
        abstract: "Find the fastest variant of each Vulkan product on a device and keep it for this machine.",
        discussion: """
            Times every variant that the device can run, checks that they agree, and writes the choice to a file of the cache
            folder named after the kind of device, driver and shaders; copy it to machines of the same kind. Interrupted, it goes on
            where it stopped. Nothing is tuned at any other time.
            """)

    @OptionGroup var options: DeviceOptions
    @Option(help: "Seconds that a candidate is repeated for.") var seconds = 0.2
    @Flag(help: "Measure anew what has been measured.") var fresh = false
    @Option(help: "Beginnings of operations' names with commas between, such as gemm_f16,gemm_bf16: only these.")
    var operations: String?

    private var wanted: [String] { operations?.split(separator: ",").map(String.init) ?? [] }

    func validate() throws {
        if let unknown = wanted.first(where: { name in !Tuner.operations.contains { $0.hasPrefix(name) } }) {
            throw ValidationError("--operations \(unknown): \(Tuner.operations.joined(separator: ", "))")
        }
        if !(seconds > 0 && seconds <= 60) { throw ValidationError("--seconds \(seconds) is not in (0, 60]") }
    }

    func run() throws {
        let device = try options.open()
        let tuner = Tuner(device, minimumSeconds: seconds) { Terminal.progress($0) }
        Terminal.error("\(device.selector): \(tuner.origin)")
        let tuning = try tuner.run(isFresh: fresh, operations: wanted)
        Terminal.endProgress()
        var table = TextTable("OPERATION", "ROWS", "VARIANT", "TIME", "NEXT BEST", "REJECTED")
        for entry in tuning.entries {
            let times = entry.seconds.sorted { $0.value < $1.value }
            table.add(
                entry.operation, "\(1 << entry.rowsLog2)", entry.variant, Figure.seconds(times[0].value),
                times.count > 1 ? "\(times[1].key) \(Figure.seconds(times[1].value))" : "-",
                entry.rejected.isEmpty ? "-" : entry.rejected.keys.sorted().joined(separator: " "))
        }
        Terminal.out(table.text)
        for entry in tuning.entries {
            for (name, reason) in entry.rejected.sorted(by: { $0.key < $1.key }) {
                Terminal.out("rejected: \(entry.operation) \(1 << entry.rowsLog2) rows, \(name): \(reason)")
            }
        }
        if let file = tuner.file { Terminal.out("kept in \(file.path)") }
    }
}
