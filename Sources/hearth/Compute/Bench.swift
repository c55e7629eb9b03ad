import ArgumentParser
import HearthBench
import HearthRoofline

struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Time kernels beside the device's measured ceilings.",
        subcommands: [BenchKernels.self, BenchPeer.self], defaultSubcommand: BenchKernels.self)
}

struct BenchKernels: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kernels", abstract: "Time kernels of language-model shapes (the default).")

    @Argument(help: "Workloads: \(KernelBench.workloads.joined(separator: ", ")); all when left out.")
    var workloads: [String] = []
    @OptionGroup var options: DeviceOptions
    @Option(help: "Seconds a case is repeated for.") var seconds = 1.0
    @Flag(help: "Print JSON.") var json = false
    @Flag(help: "Say which way each f32 product takes on the CPU, and why.") var explain = false

    func validate() throws {
        if let problem = KernelBench.problem(in: workloads) { throw ValidationError(problem) }
        if !(seconds > 0 && seconds <= 3600) { throw ValidationError("--seconds \(seconds) is not in (0, 3600]") }
    }

    func run() throws {
        let device = try options.open()
        let ceilings = try ceilings(of: device)
        var table = TextTable("KERNEL", "SHAPE", "MEDIAN", "SPREAD", "GFLOP/S", "% PEAK", "GB/S", "% BANDWIDTH")
        var results: [KernelBench.Result] = []
        let chosen = workloads.isEmpty ? KernelBench.workloads : workloads
        try KernelBench(device, ceilings: ceilings, minimumSeconds: seconds).run(chosen) { result in
            Terminal.progress("\(result.kernel) \(result.shape): \(Figure.seconds(result.seconds.median))")
            results.append(result)
            table.add(
                result.kernel, result.shape, Figure.seconds(result.seconds.median), Figure.share(result.seconds.spread),
                Figure.gigaflopsPerSecond(result.achieved.flopsPerSecond), Figure.share(result.achieved.shareOfFlops),
                Figure.gigabytesPerSecond(result.achieved.bytesPerSecond),
                Figure.share(result.achieved.shareOfBandwidth))
        }
        Terminal.endProgress()
        if explain { for line in try KernelBench.explanations(device) { Terminal.out(line) } }
        json ? try Terminal.json(results) : Terminal.out(table.text)
    }
}
