import ArgumentParser
import Foundation
import HearthBench
import HearthCompute
import HearthRoofline

struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Time kernels beside the device's measured ceilings.",
        subcommands: [BenchKernels.self, BenchLanguage.self, BenchCompare.self, BenchPeer.self],
        defaultSubcommand: BenchKernels.self)
}

struct BenchKernels: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kernels", abstract: "Time kernels of language-model shapes (the default).")

    @Argument(help: "\(KernelBench.workloads.joined(separator: ", ")), or suite for all of them.")
    var workloads: [String] = ["suite"]
    @Option(help: "auto, cpu, vulkan or vulkan:INDEX. Software Vulkan devices are used only when named by index.")
    var device = "auto"
    @Option(help: "Threads of the CPU device, or several numbers with commas between; all cores when left out.")
    var threads: String?
    @Option(
        help:
            "Shapes with commas between, for one workload: gemm, quant MxNxK; gemv NxK; attention TQxTKxHQ/HKVxD; norm ROWSxN; memory MIB."
    )
    var shapes: String?
    @Option(
        help:
            "Types with commas between: \(DType.allCases.filter { $0 != .i32 }.map(\.rawValue).joined(separator: ", "))."
    )
    var dtypes: String?
    @Option(help: "warm, or cold: operands are driven out of the caches before every sample (CPU).")
    var cache = CacheMode.warm
    @Option(help: "Seconds a case is repeated for.") var seconds = 1.0
    @Option(help: "table, jsonl (one result a line, for compare), csv or md.") var format = BenchFormat.table
    @Option(help: "Also write a page with the roofline to this file.") var report: String?
    @Option(
        help: "Variants that Vulkan kernels take where they have them, with commas between; an unknown one lists all.")
    var variant: String?
    @Flag(help: "Say which way each f32 product takes on the CPU, and why.") var explain = false

    enum CacheMode: String, ExpressibleByArgument, CaseIterable { case warm, cold }

    private var threadCounts: [Int?] {
        get throws {
            guard let threads else { return [nil] }
            return try threads.split(separator: ",", omittingEmptySubsequences: false).map { text in
                guard let count = Int(text), (1...1024).contains(count) else {
                    throw ValidationError("--threads '\(text)' is not in 1...1024")
                }
                return count
            }
        }
    }

    private var selection: BenchSelection {
        get throws {
            var selection = BenchSelection()
            selection.isCold = cache == .cold
            if let shapes {
                guard chosen.count == 1 else { throw ValidationError("--shapes are of one workload; name it") }
                do {
                    selection.shapes = try shapes.split(separator: ",", omittingEmptySubsequences: false).map {
                        try BenchSelection.parse(String($0), workload: chosen[0])
                    }
                } catch { throw ValidationError("--shapes: \(error)") }
            }
            selection.dtypes = try dtypes.map { dtypes in
                try dtypes.split(separator: ",", omittingEmptySubsequences: false).map { text in
                    guard let dtype = DType(rawValue: String(text)), dtype != .i32 else {
                        throw ValidationError("--dtypes: no type '\(text)'")
                    }
                    return dtype
                }
            }
            return selection
        }
    }

    private var chosen: [String] { workloads.flatMap { $0 == "suite" ? KernelBench.workloads : [$0] } }

    func validate() throws {
        if let problem = KernelBench.problem(in: chosen) { throw ValidationError(problem) }
        _ = (try threadCounts, try selection)
        if !(seconds > 0 && seconds <= 3600) { throw ValidationError("--seconds \(seconds) is not in (0, 3600]") }
    }

    func run() throws {
        let selection = try selection
        var results: [KernelBench.Result] = []
        var last: (device: Device, ceilings: Ceilings)?
        for count in try threadCounts {
            let device = try Device.open(DeviceSelector(device), threadCount: count)
            if selection.isCold, device.cpuThreadCount == nil {
                throw CommandFailure(
                    .badInput, "--cache cold: caches are emptied on the CPU only, not on \(device.selector)")
            }
            if let variant {
                try KernelBench.force(variant.split(separator: ",").map(String.init), on: device)
            }
            let ceilings = try ceilings(of: device)
            try KernelBench(device, ceilings: ceilings, minimumSeconds: seconds).run(chosen, selection) { result in
                Terminal.progress("\(result.kernel) \(result.shape): \(Figure.seconds(result.seconds.median))")
                results.append(result)
            }
            Terminal.endProgress()
            last = (device, ceilings)
        }
        if explain, let last { for line in try KernelBench.explanations(last.device) { Terminal.out(line) } }
        Terminal.out(try format.text(results))
        if let report, let ceilings = last?.ceilings {
            let page = RooflinePage(results, ceilings: ceilings).html
            do {
                try Data(page.utf8).write(to: URL(filePath: report), options: .atomic)
            } catch {
                throw CommandFailure(.tryAgain, "--report \(report): \(error.localizedDescription)")
            }
        }
    }
}

struct BenchCompare: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare",
        abstract: "Compare two runs kept with --format jsonl; exits with 1 when a kernel became slower.")

    @Argument(help: "The earlier run.") var before: String
    @Argument(help: "The later run.") var after: String
    @Option(help: "A slowdown counts beyond this share, outside the noise of both runs.") var threshold = 0.05

    func validate() throws {
        if !(threshold >= 0 && threshold <= 10) { throw ValidationError("--threshold \(threshold) is not in 0...10") }
    }

    private func read(_ path: String) throws -> [KernelBench.Result] {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw CommandFailure(.badInput, "\(path): cannot be read")
        }
        do throws(BenchComparison.MalformedLine) {
            return try BenchComparison.read(String(decoding: data, as: UTF8.self))
        } catch {
            throw CommandFailure(.badInput, "\(path): line \(error.number) is no result of hearth bench --format jsonl")
        }
    }

    func run() throws {
        let comparison = BenchComparison(before: try read(before), after: try read(after))
        var table = TextTable("KERNEL", "SHAPE", "BEFORE", "AFTER", "RATIO", "VERDICT")
        for row in comparison.rows {
            table.add(
                row.kernel, row.shape, Figure.seconds(row.before), Figure.seconds(row.after),
                String(format: "%.2f", row.ratio), row.verdict.rawValue)
        }
        Terminal.out(table.text)
        for name in comparison.unmatched { Terminal.out("only in one run: \(name)") }
        let regressions = comparison.regressions(beyond: threshold)
        if !regressions.isEmpty {
            Terminal.error("hearth: \(regressions.count) kernel(s) slower by more than \(Figure.share(threshold))")
            throw ExitCode(1)
        }
    }
}
