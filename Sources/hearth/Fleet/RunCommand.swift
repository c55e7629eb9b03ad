import ArgumentParser
import Foundation
import HearthAgent
import HearthBench
import HearthCompute
import HearthFleet
import HearthInference
import HearthRoofline
import HearthTelemetry

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run one job here, now: what a scheduler invokes. Needs no coordinator.")

    @Argument(help: "Job spec: YAML, or JSON as the coordinator sends it.") var spec: String
    @Option(help: "Write the outcome to this file as JSON, complete or not at all.") var result: String?
    @Option(
        help: "Where this node is and which labels it trusts (YAML); /etc/hearth/admission.yaml where there is one.")
    var admission: String?
    @Option(help: "End when the lease in this file, which the agent renews, has run out.") var lease: String?

    func run() async throws {
        let started = ContinuousClock.now
        let job = try SpecFile.read(spec)
        let admitted: Admission.Admitted
        do {
            admitted = try Admission(path: admission).admit(job)
        } catch {
            try record(JobOutcome(exitCode: ExitStatus.of(error).rawValue, message: "\(error)", actualSeconds: 0))
            throw error
        }
        /// However it ends, what it might read is said.
        @Sendable func outcome(_ status: ExitStatus, _ message: String, withOutput: Bool = true) -> JobOutcome {
            var outcome = JobOutcome(
                exitCode: status.rawValue, message: message, actualSeconds: (ContinuousClock.now - started).seconds)
            (outcome.data, outcome.decision) = (data, decision)
            (outcome.input, outcome.output) = (input, withOutput ? RunCommand.output(of: job) : nil)
            return outcome
        }
        let (data, decision) = (admitted.data, admitted.decision)
        let input = admitted.inputDigest.flatMap { digest in job.input.map { FileUse(path: $0, sha256: digest) } }
        Watchdog.start(seconds: job.timeoutSeconds, expiresAt: admitted.expiresAt, lease: lease.map { LeaseFile($0) }) {
            status, message, lostLease in
            // What it left is not looked at: it is in a hurry, and nobody gets it.
            var ended = outcome(status, message, withOutput: !lostLease)
            if lostLease { ended.lostLease = true }
            try? record(ended)
        }
        // Who names the processor asks no driver of GPUs. Not before the watchdog: that driver may hang.
        let meter = EnergyMeter(graphics: job.device == "cpu" ? nil : try? NVIDIAGraphics())
        do {
            defer { withExtendedLifetime(admitted.input) {} }
            let use = ProcessorUse()
            var ended = try await JobRunner(admitted.spec, meter).run()
            ended.actualSeconds = (ContinuousClock.now - started).seconds
            (ended.data, ended.decision) = (data, decision)
            ended.otherCores = use.othersCores()
            ended.flops =
                ended.flops ?? ended.kernels?.reduce(0) { $0 + $1.work.cost.flops * Double($1.work.launches) }
            (ended.input, ended.output) = (input, Self.output(of: job))
            try record(ended)
        } catch {
            try record(outcome(ExitStatus.of(error), "\(error)"))
            throw error
        }
    }

    /// What is in the job's output now, however it ended; nil where it has none.
    private static func output(of job: JobSpec) -> FileUse? {
        guard let path = job.output, let handle = try? FileDigest.open(path),
            let (digest, count) = try? FileDigest.sha256(handle, path), count > 0
        else { return nil }
        return FileUse(path: path, sha256: digest)
    }

    private func record(_ outcome: JobOutcome) throws {
        guard let result else { return }
        do { try JSONEncoder().encode(outcome).write(to: URL(fileURLWithPath: result), options: .atomic) } catch {
            throw CommandFailure(.tryAgain, "\(result): the outcome cannot be written: \(error.localizedDescription)")
        }
    }
}

/// Reads a job spec from YAML or from the coordinator's JSON.
enum SpecFile {
    static func read(_ path: String) throws -> JobSpec {
        guard let data = FileManager.default.contents(atPath: path), let text = String(data: data, encoding: .utf8)
        else {
            throw CommandFailure(.badInput, "\(path): no such file, or not text")
        }
        if path.hasSuffix(".json") {
            let spec: JobSpec
            do { spec = try JobSpec.parse(json: data) } catch { throw CommandFailure(.badInput, "\(path): \(error)") }
            if let problem = spec.problem { throw CommandFailure(.badInput, "\(path): \(problem)") }
            return spec
        }
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        return try JobSpec.parse(yaml: text, file: path, folder: folder)
    }
}

/// Ends the process when time is up or SIGTERM comes, after writing down why.
enum Watchdog {
    /// - Parameters:
    ///   - expiresAt: when labels end that allow the job what it reads, seconds since 1970.
    ///   - onEnd: told why, and whether it is for the lease.
    static func start(
        seconds: Double, expiresAt: Int? = nil, lease: LeaseFile? = nil,
        onEnd: @escaping @Sendable (ExitStatus, String, Bool) -> Void
    ) {
        signal(SIGTERM, SIG_IGN)
        @Sendable func end(_ status: ExitStatus, _ message: String, lostLease: Bool = false) -> Never {
            onEnd(status, message, lostLease)
            exit(status.rawValue)
        }
        let terminated = DispatchSource.makeSignalSource(signal: SIGTERM, queue: .global())
        let timer = DispatchSource.makeTimerSource(queue: .global())
        let expiry = DispatchSource.makeTimerSource(queue: .global())
        terminated.setEventHandler { end(.tryAgain, "ended on request (SIGTERM)") }
        timer.schedule(deadline: .now() + seconds)
        timer.setEventHandler {
            Terminal.error("hearth: the job did not end within its \(seconds) s")
            end(.timeout, "did not end within its \(seconds) s")
        }
        if let expiresAt {
            expiry.schedule(wallDeadline: .now() + max(0, Double(expiresAt) - Date().timeIntervalSince1970))
        }
        expiry.setEventHandler {
            Terminal.error("hearth: refused: a label that allowed the job has expired")
            end(.refusedByPolicy, "refused: a label that allowed the job has expired")
        }
        let leaseCheck = DispatchSource.makeTimerSource(queue: .global())
        if lease != nil { leaseCheck.schedule(deadline: .now() + 0.2, repeating: 0.2) }
        leaseCheck.setEventHandler {
            guard lease?.isOver == true else { return }
            Terminal.error("hearth: the lease ran out: the coordinator was not heard from")
            end(.tryAgain, "its lease ran out: the coordinator was not heard from", lostLease: true)
        }
        (onTime, onTermination, onExpiry, onLease) = (timer, terminated, expiry, leaseCheck)
        for source in [timer, terminated, expiry, leaseCheck] as [any DispatchSourceProtocol] { source.resume() }
    }

    /// Leaves SIGTERM to what runs now.
    static func leaveSIGTERM() { onTermination?.cancel() }

    /// Sources stop when they are released. Set before the job starts.
    nonisolated(unsafe) private static var onTime, onTermination, onExpiry, onLease: (any DispatchSourceProtocol)?
}
