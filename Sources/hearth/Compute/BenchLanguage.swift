import ArgumentParser
import Foundation
import HearthCompute
import HearthInference

struct BenchLanguage: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "llm",
        abstract: "Time a language model as llama-bench does: prompts read (pp) and tokens generated (tg).")

    @Option(name: .shortAndLong, help: "A GGUF file, or a folder with config.json, tokenizer.json and safetensors.")
    var model: String
    @Option(
        name: [.customShort("p"), .customLong("n-prompt")], help: "Tokens of prompts, with commas between; 0 for none.")
    var promptTokens = "512"
    @Option(
        name: [.customShort("n"), .customLong("n-gen")], help: "Tokens to generate, with commas between; 0 for none.")
    var generatedTokens = "128"
    @Option(
        name: [.customShort("d"), .customLong("n-depth")], help: "Tokens in the cache before, with commas between.")
    var depths = "0"
    @Option(name: .shortAndLong, help: "Runs of each test, after one that warms up.") var repetitions = 5
    @Option(name: .shortAndLong, help: "md, json, jsonl or csv.") var output = Output.md
    @Option(help: "Element type of keys and values: f16, q8_0 or f32.") var cache = "f16"
    @Option(help: "Activations beside quantised weights on the CPU: int8 (fast) or f32 (exact).")
    var activations = LanguageModel.Activations.int8
    @OptionGroup var options: DeviceOptions

    enum Output: String, ExpressibleByArgument, CaseIterable { case md, json, jsonl, csv }

    private static func numbers(_ text: String, _ name: String) throws -> [Int] {
        try text.split(separator: ",", omittingEmptySubsequences: false).map { part in
            guard let number = Int(part), (0...1 << 20).contains(number) else {
                throw ValidationError("--\(name) '\(part)' is not in 0...2^20")
            }
            return number
        }
    }

    private var benchOptions: LanguageBench.Options {
        get throws {
            var bench = LanguageBench.Options()
            bench.promptTokens = try Self.numbers(promptTokens, "n-prompt").filter { $0 > 0 }
            bench.generatedTokens = try Self.numbers(generatedTokens, "n-gen").filter { $0 > 0 }
            bench.depths = try Self.numbers(depths, "n-depth")
            bench.repetitions = repetitions
            bench.cache = try Engine.Options.cacheType(cache)
            return bench
        }
    }

    func validate() throws {
        let bench = try benchOptions
        if bench.promptTokens.isEmpty, bench.generatedTokens.isEmpty { throw ValidationError("nothing to time") }
        if !(1...1000).contains(repetitions) {
            throw ValidationError("--repetitions \(repetitions) is not in 1...1000")
        }
    }

    func run() throws {
        let device = try options.open()
        let ceilings = try ceilings(of: device)
        let language = try LanguageModel.load(model, on: device, activations: activations)
        var results: [LanguageBench.Result] = []
        try LanguageBench(language, ceilings: ceilings, try benchOptions).run { test, repetition in
            Terminal.progress(repetition == 0 ? "\(test): warming up" : "\(test): \(repetition) of \(repetitions)")
        } onResult: {
            results.append($0)
        }
        Terminal.endProgress()
        try output.print(results)
    }
}

extension BenchLanguage.Output {
    private static let headings = [
        "model", "size", "params", "device", "threads", "test", "t/s", "% roofline", "GFLOP/s", "% peak", "GB/s",
        "% bandwidth",
    ]

    private static func cells(_ r: LanguageBench.Result) -> [String] {
        let spread = (r.tokensPerSecond.upperQuartile - r.tokensPerSecond.lowerQuartile) / 2
        return [
            r.model, Figure.gibibytes(UInt64(r.modelBytes)), String(format: "%.2f B", Double(r.parameters) / 1e9),
            "\(r.device) (\(r.deviceName))", r.threads.map(String.init) ?? "-", r.test,
            String(format: "%.2f ± %.2f", r.tokensPerSecond.median, spread), Figure.share(r.shareOfRoofline),
            String(format: "%.1f", r.achieved.flopsPerSecond / 1e9), Figure.share(r.achieved.shareOfFlops),
            String(format: "%.1f", r.achieved.bytesPerSecond / 1e9), Figure.share(r.achieved.shareOfBandwidth),
        ]
    }

    func print(_ results: [LanguageBench.Result]) throws {
        switch self {
        case .json: try Terminal.json(results)
        case .md:
            for row in [Self.headings, Self.headings.map { _ in "---" }] + results.map(Self.cells) {
                Terminal.out("| " + row.joined(separator: " | ") + " |")
            }
        case .jsonl:
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            for result in results { Terminal.out(String(decoding: try encoder.encode(result), as: UTF8.self)) }
        case .csv:
            Terminal.out(
                "model,model_bytes,parameters,device,threads,test,tokens,depth,median_tokens_per_s,lower_quartile,upper_quartile,runs,median_s,predicted_s,flops_per_s,bytes_per_s"
            )
            for r in results {
                let figures: [Double] = [
                    r.tokensPerSecond.median, r.tokensPerSecond.lowerQuartile, r.tokensPerSecond.upperQuartile,
                    Double(r.tokensPerSecond.sampleCount), r.seconds.median, r.predictedSeconds ?? .nan,
                    r.achieved.flopsPerSecond, r.achieved.bytesPerSecond,
                ]
                let quoted = "\"" + r.model.replacing("\"", with: "\"\"") + "\""
                let words = [
                    quoted, "\(r.modelBytes)", "\(r.parameters)", r.device, r.threads.map(String.init) ?? "", r.test,
                    "\(r.tokens)", "\(r.depth)",
                ]
                Terminal.out(
                    (words + figures.map { $0.isNaN ? "" : String(format: "%.9g", $0) }).joined(separator: ","))
            }
        }
    }
}
