import Foundation
import HearthBench
import HearthCompute
import HearthFleet
import HearthInference
import HearthRoofline
import HearthServe
import HearthTelemetry
import Logging

/// Executes one job spec with the compute libraries; its output is the job's log.
struct JobRunner {
    let spec: JobSpec
    private let meter: EnergyMeter

    init(_ spec: JobSpec, _ meter: EnergyMeter) { (self.spec, self.meter) = (spec, meter) }

    func run() async throws -> JobOutcome {
        let device = try Device.open(DeviceSelector(spec.device))
        var outcome: JobOutcome
        switch spec.kind {
        case .generate: outcome = spec.input == nil ? try generate(device) : try await batch(device)
        case .serve: outcome = try await serve(device)
        case .bench: outcome = try bench(device)
        case .probe: outcome = try probe(device)
        }
        outcome.device = device.selector
        outcome.deviceName = device.description.name
        // An integrated GPU is a part of the processor's package, and a software device is the processor.
        let isApart = device.description.kind == .discrete || device.description.kind == .virtual
        outcome.energyJoules = meter.total(withGraphics: isApart)
        return outcome
    }

    private func generate(_ device: Device) throws -> JobOutcome {
        let ceilings = try ceilings(of: device)
        let loading = ContinuousClock.now
        let language = try LanguageModel(path: spec.model ?? "", device: device)
        let loadSeconds = (ContinuousClock.now - loading).seconds
        let sampling = SamplingOptions(
            temperature: spec.sampling.temperature, topK: spec.sampling.topK, topP: spec.sampling.topP,
            minP: spec.sampling.minP, seed: spec.sampling.seed)
        let request = GenerationRequest(
            prompt: spec.prompt ?? "", isChat: spec.isChat, maxTokens: spec.maxTokens, sampling: sampling)
        let report = try language.generate(request, ceilings: ceilings, onText: { Terminal.out($0, terminator: "") })
        Terminal.out("\n\n\(report.summary)")
        var outcome = JobOutcome(exitCode: 0, actualSeconds: 0)
        outcome.predictedSeconds = sum(report.prefill.predictedSeconds, report.decode.predictedSeconds)
        outcome.figures = [
            "time_to_first_token_seconds": report.timeToFirstTokenSeconds,
            "generation_seconds": report.prefill.seconds + report.decode.seconds,
        ]
        outcome.model = FileUse(path: language.path, sha256: try Fingerprint.digest(ofModel: language.path))
        let work = ModelWork(language)
        outcome.kernels = [
            KernelTime(work.load, seconds: loadSeconds),
            KernelTime(work.prefill(report.prefill.tokens), seconds: report.prefill.seconds),
            KernelTime(work.decode(report.decode.tokens), seconds: report.decode.seconds),
        ]
        for (name, phase) in [("prefill", report.prefill), ("decode", report.decode)] {
            outcome.figures["\(name)_tokens"] = Double(phase.tokens)
            outcome.figures["\(name)_tokens_per_second"] = phase.tokensPerSecond
            outcome.figures["\(name)_flops_per_second"] = phase.achieved.flopsPerSecond
            outcome.figures["\(name)_bytes_per_second"] = phase.achieved.bytesPerSecond
            outcome.figures["\(name)_share_of_flops"] = phase.achieved.shareOfFlops
            outcome.figures["\(name)_share_of_bandwidth"] = phase.achieved.shareOfBandwidth
        }
        return outcome
    }

    private func loading(_ device: Device) async throws -> ServedModel {
        let loading = ServedModel.Loading(name: spec.modelName, context: spec.context ?? JobSpec.defaultContext)
        return try await ServedModel.load(spec.model ?? "", on: device, loading, Log.make("job"))
    }

    /// Answers a file of requests; begun again, it goes on where it ended.
    private func batch(_ device: Device) async throws -> JobOutcome {
        let ceilings = try ceilings(of: device)
        let loading = ContinuousClock.now
        let model = try await self.loading(device)
        let loadSeconds = (ContinuousClock.now - loading).seconds
        defer { model.engine.stop() }
        let started = ContinuousClock.now
        var said = started
        let run = BatchRun(model, input: spec.input ?? "", output: spec.output ?? "", seed: spec.sampling.seed)
        let summary = try await run.run { summary in
            guard (ContinuousClock.now - said).seconds >= 5 else { return }
            said = ContinuousClock.now
            let rate = Double(summary.completionTokens) / (said - started).seconds
            Terminal.out(String(format: "%d answers, %.1f tokens/s", summary.answers, rate))
        }
        let seconds = (ContinuousClock.now - started).seconds
        let metrics = model.engine.metrics
        let achieved = Achievement(
            cost: Cost(flops: metrics.flops, bytesRead: metrics.bytes, bytesWritten: 0), seconds: metrics.busySeconds,
            ceilings: ceilings)
        Terminal.out(
            String(
                format: "%d answers (%d found from before, %d refused), %d tokens read and %d generated in %.1f s",
                summary.answers, summary.resumed, summary.refused, summary.promptTokens, summary.completionTokens,
                seconds))
        var outcome = JobOutcome(exitCode: 0, actualSeconds: 0)
        outcome.figures = [
            "answers": Double(summary.answers), "answers_from_before": Double(summary.resumed),
            "answers_refused": Double(summary.refused), "prompt_tokens": Double(summary.promptTokens),
            "completion_tokens": Double(summary.completionTokens), "generation_seconds": seconds,
            "bytes_per_second": achieved.bytesPerSecond,
        ]
        outcome.figures["share_of_bandwidth"] = achieved.shareOfBandwidth
        outcome.model = FileUse(path: model.engine.language.path, sha256: model.digest)
        let work = ModelWork(model.engine.language)
        outcome.kernels = [
            KernelTime(work.load, seconds: loadSeconds)
        ]
        // What was answered before took nothing.
        guard summary.promptTokens > 0 else { return outcome }
        outcome.kernels?.append(
            KernelTime(
                work.batch(promptTokens: summary.promptTokens, answerTokens: summary.completionTokens),
                seconds: seconds))
        return outcome
    }

    /// Serves until it is told to stop.
    private func serve(_ device: Device) async throws -> JobOutcome {
        let logger = Log.make("serve")
        var config = ServeConfig()
        if let listen = spec.listen { config.listen = listen }
        (config.apiKeyFile, config.certificateFile, config.privateKeyFile) = (
            spec.apiKeys, spec.tlsCertificate, spec.tlsKey
        )
        let ceilings = try ceilings(of: device)
        let model = try await loading(device)
        let server = try InferenceServer(model, config: config, ceilings: ceilings, logger: logger)
        // From here on the server ends by itself when it is told to, after its last answer.
        Watchdog.leaveSIGTERM()
        try await server.run()
        let metrics = model.engine.metrics
        var outcome = JobOutcome(exitCode: 0, actualSeconds: 0)
        outcome.figures = [
            "answers": Double(metrics.completed), "prompt_tokens": Double(metrics.promptTokens),
            "completion_tokens": Double(metrics.generatedTokens), "busy_seconds": metrics.busySeconds,
        ]
        outcome.model = FileUse(path: model.engine.language.path, sha256: model.digest)
        outcome.flops = metrics.flops
        return outcome
    }

    private func sum(_ a: Double?, _ b: Double?) -> Double? {
        guard let a, let b else { return nil }
        return a + b
    }

    private func bench(_ device: Device) throws -> JobOutcome {
        if let problem = KernelBench.problem(in: spec.workloads) {
            throw CommandFailure(.badInput, "workloads: \(problem)")
        }
        var outcome = JobOutcome(exitCode: 0, actualSeconds: 0)
        if let cases = spec.cases {
            outcome.kernels = try runCases(cases, device)
            return outcome
        }
        let chosen = spec.workloads.isEmpty ? KernelBench.workloads : spec.workloads
        try KernelBench(device, ceilings: try ceilings(of: device), minimumSeconds: 0.5).run(chosen) { result in
            Terminal.out(
                "\(result.kernel) \(result.shape): \(Figure.seconds(result.seconds.median)), "
                    + "\(Figure.gigaflopsPerSecond(result.achieved.flopsPerSecond)) (\(Figure.share(result.achieved.shareOfFlops))), "
                    + "\(Figure.gigabytesPerSecond(result.achieved.bytesPerSecond)) (\(Figure.share(result.achieved.shareOfBandwidth)))"
            )
            outcome.figures["\(result.kernel) \(result.shape) seconds"] = result.seconds.median
        }
        return outcome
    }

    private func runCases(_ texts: [String], _ device: Device) throws -> [KernelTime] {
        let cases = try texts.map { text in
            do { return try BenchCase(text) } catch { throw CommandFailure(.badInput, "cases: \(error)") }
        }
        let bench = KernelBench(device, ceilings: try ceilings(of: device))
        return try cases.flatMap { one in
            let times = try bench.run(one)
            for time in times {
                Terminal.out("\(time.work.kernel), \(time.work.launches) times: \(Figure.seconds(time.seconds))")
            }
            return times
        }
    }

    private func probe(_ device: Device) throws -> JobOutcome {
        let measured = try CeilingProbe(device) { Terminal.out("\(device.selector): \($0)") }.run()
        try CeilingStore.save(measured, for: device)
        var outcome = JobOutcome(exitCode: 0, actualSeconds: 0)
        outcome.ceilings = measured
        outcome.figures["f32_flops_per_second"] = measured.f32FlopsPerSecond.median
        outcome.figures["memory_bytes_per_second"] = measured.bytesPerSecond
        return outcome
    }
}
