import Foundation
import HearthTelemetry
import Logging
import ServiceLifecycle

/// What NVIDIA's driver says of its GPUs, by way of a child (`hearth gpus`) that says it every few seconds: a driver that hangs costs a child.
actor GraphicsWatch: Service {
    private let everySeconds: Double
    private let logger: Logger
    /// Told what is wrong with the driver or a GPU, in words; nil: nothing any more.
    private let onChange: @Sendable (String?) async -> Void

    private var last: (metrics: [Metric], at: ContinuousClock.Instant)?
    private var problem: String?
    /// Each critical error that is not a program's fault, and when it was last seen.
    private var faults: [Metric.Sample: ContinuousClock.Instant] = [:]

    /// A driver is asked again after this many answers that did not come.
    private static let missedAnswers = 3.0
    /// A machine without the driver may get it.
    private static let absentSeconds = 600.0
    private static let restartSeconds = 10.0
    private static let rememberedSeconds = 3600.0
    /// XIDs that a program's own mistake brings about.
    ///
    /// - Source: NVIDIA's XID errors: 13 and 69 graphics exceptions, 31 page fault, 43 and 45 a program that was ended.
    private static let programErrors: Set<String> = ["13", "31", "43", "45", "69"]

    init(everySeconds: Double, logger: Logger, onChange: @escaping @Sendable (String?) async -> Void) {
        (self.everySeconds, self.logger, self.onChange) = (everySeconds, logger, onChange)
    }

    /// Nothing that is older than a few answers.
    var metrics: [Metric] {
        guard let last, last.at.duration(to: .now) < patience else { return [] }
        return last.metrics
    }

    /// Starting the driver takes some seconds where no program uses it.
    private var patience: Duration { .seconds(everySeconds * Self.missedAnswers + 10) }

    nonisolated func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                let pause = await self.follow() ? Self.restartSeconds : Self.absentSeconds
                try? await Task.sleep(for: .seconds(pause))
            }
        }
    }

    /// Starts a child and takes in what it says until it ends. - Returns: false where there is no such driver.
    private func follow() async -> Bool {
        let (process, pipe) = (Process(), Pipe())
        process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments = ["gpus", "--every", "\(everySeconds)"]
        (process.standardInput, process.standardOutput) = (FileHandle.nullDevice, pipe)
        process.standardError = FileHandle.nullDevice
        let (ends, ended) = AsyncStream.makeStream(of: Int32.self)
        process.terminationHandler = { process in
            ended.yield(process.terminationReason == .exit ? process.terminationStatus : -1)
            ended.finish()
        }
        do { try process.run() } catch {
            logger.warning("GPUs cannot be watched", metadata: ["problem": "\(error)"])
            return true
        }
        let id = process.processIdentifier
        let guarding = Task { await self.guardChild(id, since: .now) }
        await withTaskCancellationHandler {
            var rest = Data()
            for await data in pipe.fileHandleForReading.pieces {
                rest += data
                while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                    if let metrics = try? JSONDecoder().decode([Metric].self, from: rest[..<end]) {
                        await take(metrics)
                    }
                    rest = Data(rest[rest.index(after: end)...])
                }
            }
        } onCancel: {
            kill(id, SIGTERM)
        }
        guarding.cancel()
        for await status in ends { return status != 69 }
        return true
    }

    /// Ends a child that does not answer, and says so. One that does not even end then stays the only one: another would hang as well.
    private func guardChild(_ id: pid_t, since start: ContinuousClock.Instant) async {
        while true {
            do { try await Task.sleep(for: .seconds(min(everySeconds, 1))) } catch { return }
            guard max(start, last?.at ?? start).duration(to: .now) > patience else { continue }
            kill(id, SIGKILL)
            await say("NVIDIA's driver has not answered for \(patience.components.seconds) s")
        }
    }

    private func take(_ metrics: [Metric]) async {
        let errors = { (metrics: [Metric]) in
            Dictionary(
                (metrics.first { $0.name == NVIDIAGraphics.criticalErrorMetric }?.samples ?? [])
                    .map { ($0.labels, $0.value) }
            ) { first, _ in first }
        }
        let before = errors(last?.metrics ?? [])
        for (labels, count) in errors(metrics) where count > before[labels] ?? 0 {
            let isFault = !Self.programErrors.contains(labels["xid"] ?? "")
            logger.warning(
                "critical error of a GPU",
                metadata: ["card": "\(labels["card"] ?? "")", "xid": "\(labels["xid"] ?? "")", "isFault": "\(isFault)"])
            if isFault { faults[.init(labels, 0)] = .now }
        }
        faults = faults.filter { $0.value.duration(to: .now) < .seconds(Self.rememberedSeconds) }
        last = (metrics, .now)
        let said = faults.keys.map { "\($0.labels["card"] ?? ""): critical error \($0.labels["xid"] ?? "") (XID)" }
        await say(said.isEmpty ? nil : said.sorted().joined(separator: "; "))
    }

    private func say(_ problem: String?) async {
        guard problem != self.problem else { return }
        self.problem = problem
        await onChange(problem)
    }
}

extension FileHandle {
    /// What comes, as it comes, until the other end is closed.
    fileprivate var pieces: AsyncStream<Data> {
        AsyncStream { continuation in
            readabilityHandler = { handle in
                let data = handle.availableData
                if data.isEmpty {
                    handle.readabilityHandler = nil
                    continuation.finish()
                } else {
                    continuation.yield(data)
                }
            }
        }
    }
}
