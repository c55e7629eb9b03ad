import ArgumentParser
import Foundation
import HearthBench
import HearthRoofline

struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Time kernels beside the device's measured ceilings.",
        subcommands: [BenchKernels.self, BenchCompare.self, BenchPeer.self], defaultSubcommand: BenchKernels.self)
}

struct BenchKernels: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kernels", abstract: "Time kernels of language-model shapes (the default).")

    @Argument(help: "\(KernelBench.workloads.joined(separator: ", ")), or suite for all of them.")
    var workloads: [String] = ["suite"]
    @OptionGroup var options: DeviceOptions
    @Option(help: "Seconds a case is repeated for.") var seconds = 1.0
    @Option(help: "table, jsonl (one result a line, for compare), csv or md.") var format = BenchFormat.table
    @Option(help: "Also write a page with the roofline to this file.") var report: String?
    @Flag(help: "Say which way each f32 product takes on the CPU, and why.") var explain = false

    private var chosen: [String] { workloads.flatMap { $0 == "suite" ? KernelBench.workloads : [$0] } }

    func validate() throws {
        if let problem = KernelBench.problem(in: chosen) { throw ValidationError(problem) }
        if !(seconds > 0 && seconds <= 3600) { throw ValidationError("--seconds \(seconds) is not in (0, 3600]") }
    }

    func run() throws {
        let device = try options.open()
        let ceilings = try ceilings(of: device)
        var results: [KernelBench.Result] = []
        try KernelBench(device, ceilings: ceilings, minimumSeconds: seconds).run(chosen) { result in
            Terminal.progress("\(result.kernel) \(result.shape): \(Figure.seconds(result.seconds.median))")
            results.append(result)
        }
        Terminal.endProgress()
        if explain { for line in try KernelBench.explanations(device) { Terminal.out(line) } }
        Terminal.out(try format.text(results))
        if let report {
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
