import ArgumentParser
import Foundation
import HearthBench
import HearthCompute

struct BenchPeer: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "peer",
        abstract: "Take a turn among the peers of Benchmarks/peers: one JSON line a case.")

    @Option(help: "One of \(PeerBench.workloads.joined(separator: ", ")).") var workload: String
    @Option(help: "Threads of the CPU.") var threads = 1
    @Option(help: "cpu, or a Vulkan device, on which the cases of the Vulkan peers are run.") var device = "cpu"
    @Option(name: .customLong("case"), help: "Cases to run, separated by commas; all when left out.") var cases = ""

    func validate() throws {
        guard PeerBench.workloads.contains(workload) else {
            throw ValidationError(
                "no workload '\(workload)'; there are \(PeerBench.workloads.joined(separator: ", "))")
        }
        if !(1...1024).contains(threads) { throw ValidationError("--threads \(threads) is not in 1...1024") }
    }

    func run() throws {
        let seconds = ProcessInfo.processInfo.environment["PEERS_MIN_TIME"].flatMap(Double.init) ?? 0.4
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let bench = try PeerBench(
            try Device.open(DeviceSelector(device), threadCount: threads),
            cases: cases.split(separator: ",").map(String.init), minimumSeconds: seconds
        ) { line in
            Terminal.out(String(decoding: try encoder.encode(line), as: UTF8.self))
        }
        try bench.run(workload)
    }
}
