import ArgumentParser
import Foundation
import HearthBench
import HearthCompute
import HearthFleet
import HearthInference
import HearthRoofline

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run one job here, now: what a scheduler invokes. Needs no coordinator.")

    @Argument(help: "Job spec: YAML, or JSON as the coordinator sends it.") var spec: String
    @Option(help: "Write the outcome to this file as JSON, complete or not at all.") var result: String?
    @Option(
        help: "Where this node is and which labels it trusts (YAML); /etc/hearth/admission.yaml where there is one.")
    var admission: String?

    func run() async throws {
        let started = ContinuousClock.now
        let job = try SpecFile.read(spec)
        Watchdog.start(seconds: job.timeoutSeconds) { status, message in
            let elapsed = (ContinuousClock.now - started).seconds
            try? record(JobOutcome(exitCode: status.rawValue, message: message, actualSeconds: elapsed))
        }
        do {
            let admitted = try Admission(path: admission).admit(job)
            var outcome = try await JobRunner(job).run()
            (outcome.data, outcome.decision) = (admitted.data, admitted.decision)
            outcome.actualSeconds = (ContinuousClock.now - started).seconds
            try record(outcome)
        } catch {
            let status = ExitStatus.of(error)
            let elapsed = (ContinuousClock.now - started).seconds
            try record(JobOutcome(exitCode: status.rawValue, message: "\(error)", actualSeconds: elapsed))
            throw error
        }
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
            do {
                let spec = try JSONDecoder().decode(JobSpec.self, from: data)
                if let problem = spec.problem { throw CommandFailure(.badInput, "\(path): \(problem)") }
                return spec
            } catch let error as DecodingError { throw CommandFailure(.badInput, "\(path): \(error)") }
        }
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        return try JobSpec.parse(yaml: text, file: path, folder: folder)
    }
}

/// Ends the process when time is up or SIGTERM comes, after writing down why.
enum Watchdog {
    static func start(seconds: Double, onEnd: @escaping @Sendable (ExitStatus, String) -> Void) {
        signal(SIGTERM, SIG_IGN)
        let terminated = DispatchSource.makeSignalSource(signal: SIGTERM, queue: .global())
        terminated.setEventHandler {
            onEnd(.tryAgain, "ended on request (SIGTERM)")
            exit(ExitStatus.tryAgain.rawValue)
        }
        terminated.resume()
        let timer = DispatchSource.makeTimerSource(queue: .global())
        timer.schedule(deadline: .now() + seconds)
        timer.setEventHandler {
            Terminal.error("hearth: the job did not end within its \(seconds) s")
            onEnd(.timeout, "did not end within its \(seconds) s")
            exit(ExitStatus.timeout.rawValue)
        }
        timer.resume()
        (onTime, onTermination) = (timer, terminated)
    }

    /// Leaves SIGTERM to what runs now.
    static func leaveSIGTERM() { onTermination?.cancel() }

    /// Sources stop when they are released. Set before the job starts.
    nonisolated(unsafe) private static var onTime, onTermination: (any DispatchSourceProtocol)?
}
