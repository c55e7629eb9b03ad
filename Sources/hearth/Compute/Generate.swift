import ArgumentParser
import Foundation
import HearthInference

struct Generate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Continue a prompt with a language model, streaming to the terminal.")

    @Option(help: "A GGUF file, or a folder with config.json, tokenizer.json and safetensors.") var model: String
    @Option(help: "Text to continue.") var prompt: String
    @Option(help: "Tokens to generate at most.") var maxTokens = 128
    @Option(help: "0 is greedy.") var temperature = 0.0
    @Option(help: "Keep the K likeliest tokens; 0 keeps all.") var topK = 0
    @Option(help: "Keep the likeliest tokens up to probability P.") var topP = 1.0
    @Option(help: "Drop tokens less likely than this share of the likeliest.") var minP = 0.0
    @Option(help: "Seed of the sampler.") var seed: UInt64 = 0
    @Flag(help: "Treat the prompt as a user's message and apply the model's chat template.") var chat = false
    @Option(help: "Activations beside quantised weights on the CPU: int8 (fast) or f32 (exact).")
    var activations = LanguageModel.Activations.int8
    @OptionGroup var options: DeviceOptions
    @Flag(help: "Print one JSON object instead of text.") var json = false

    private var sampling: SamplingOptions {
        SamplingOptions(temperature: temperature, topK: topK, topP: topP, minP: minP, seed: seed)
    }

    func validate() throws {
        if let problem = sampling.problem { throw ValidationError(problem) }
        if maxTokens < 1 { throw ValidationError("--max-tokens \(maxTokens) is less than 1") }
    }

    func run() throws {
        let device = try options.open()
        let ceilings = try ceilings(of: device)
        let language = try LanguageModel.load(model, on: device, activations: activations)
        let request = GenerationRequest(prompt: prompt, isChat: chat, maxTokens: maxTokens, sampling: sampling)
        if !json && !chat { Terminal.out(prompt, terminator: "") }
        let report = try language.generate(request, ceilings: ceilings) { done, total in
            if Terminal.errorIsTerminal, done < total { Terminal.progress("prefill \(done)/\(total)") }
        } onText: { text in
            if !json { Terminal.out(text, terminator: "") }
        }
        if json { return try Terminal.json(report) }
        Terminal.out("\n")
        Terminal.out(report.summary)
    }
}

extension LanguageModel.Activations: ExpressibleByArgument {}

extension GenerationReport {
    /// The closing table of a generation.
    var summary: String {
        var table = TextTable(
            "PHASE", "TOKENS", "TIME", "TOKENS/S", "GFLOP/S", "% PEAK", "GB/S", "% BANDWIDTH", "PREDICTED")
        for (name, phase) in [("prefill", prefill), ("decode", decode)] {
            table.add(
                name, "\(phase.tokens)", Figure.seconds(phase.seconds), String(format: "%.1f", phase.tokensPerSecond),
                String(format: "%.1f", phase.achieved.flopsPerSecond / 1e9), Figure.share(phase.achieved.shareOfFlops),
                String(format: "%.1f", phase.achieved.bytesPerSecond / 1e9),
                Figure.share(phase.achieved.shareOfBandwidth),
                phase.predictedSeconds.map(Figure.seconds) ?? "-")
        }
        return """
            \(model) on \(device) (\(deviceName)), time to first token \(Figure.seconds(timeToFirstTokenSeconds)), \(stopReason.rawValue)
            \(table.text)
            """
    }
}
