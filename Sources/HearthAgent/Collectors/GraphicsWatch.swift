import Foundation
import HearthTelemetry
import Logging
import ServiceLifecycle

/// What NVIDIA's driver says of its GPUs, by way of a child (`hearth gpus`) that says it every few seconds: a driver that hangs costs a child.
actor GraphicsWatch: Service {
    private let folder: URL
    private let everySeconds: Double
    private let logger: Logger
    /// Told what is wrong with the driver or a GPU, in words; nil: nothing any more.
    private let onChange: @Sendable (String?) async -> Void

    private var last: (metrics: [Metric], at: ContinuousClock.Instant)?
    private var problem: String?
    private var lastAbsence: String?
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
    /// - Source: NVIDIA's list of XID errors, and those that its device plugin for Kubernetes leaves a GPU healthy after.
    private static let programErrors: Set<String> = ["13", "31", "43", "45", "68", "69", "109"]

    /// - Parameter folder: of the agent's children.
    init(
        folder: URL, everySeconds: Double, logger: Logger, onChange: @escaping @Sendable (String?) async -> Void
    ) {
        (self.folder, self.everySeconds, self.logger, self.onChange) = (folder, everySeconds, logger, onChange)
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

    /// Starts a child and takes in what it says until it ends, or ends it when it says nothing. One that does not even end then stays the
    /// only one, for the next agent, too: another would hang as well.
    ///
    /// - Returns: false where it ended with nothing to say: there is no such driver.
    private func follow() async -> Bool {
        let child = ChildProcess(folder: folder.appending(path: "graphics"))
        let file = child.folder.appending(path: "reading.json")
        var answeredAt = ContinuousClock.now
        // An earlier agent's.
        while child.isAlive {
            child.signal(SIGKILL)
            do { try await Task.sleep(for: .milliseconds(200)) } catch { return true }
            if answeredAt.duration(to: .now) > patience { await sayUnanswered() }
        }
        child.remove()
        do { try child.start(["gpus", "--every", "\(everySeconds)", "--into", file.path]) } catch {
            logger.warning("GPUs cannot be watched", metadata: ["problem": "\(error)"])
            return true
        }
        answeredAt = .now
        var (written, isSilent) = (nil as Date?, false)
        while child.isAlive {
            do { try await Task.sleep(for: .seconds(min(everySeconds, 1))) } catch {
                child.signal(SIGKILL)
                return true
            }
            if let changed = (try? FileManager.default.attributesOfItem(atPath: file.path))?[.modificationDate]
                as? Date,
                changed != written, let metrics = try? JSONDecoder().decode([Metric].self, from: Data(contentsOf: file))
            {
                (answeredAt, written) = (.now, changed)
                await take(metrics)
            } else if answeredAt.duration(to: .now) > patience {
                isSilent = true
                child.signal(SIGKILL)
                await sayUnanswered()
            }
        }
        let signal = child.terminationSignal()
        let log = (try? String(contentsOf: child.logFile, encoding: .utf8)) ?? ""
        child.remove()
        if isSilent || written != nil { return true }
        await sayUnasked(signal.map { "its process was ended by signal \($0)" } ?? log)
        // One that was there is missed.
        return last != nil
    }

    private func sayUnanswered() async {
        await say("NVIDIA's driver has not answered for \(patience.components.seconds) s")
    }

    /// - Parameter said: by the child at its end. A machine that never had the library is none to speak of.
    private func sayUnasked(_ said: String) async {
        let reason = String(said.suffix(300)).trimmingCharacters(in: .whitespacesAndNewlines)
        if reason != lastAbsence, !reason.contains("cannot open shared object file") {
            logger.notice("NVIDIA's driver is not asked", metadata: ["because": "\(reason)"])
        }
        lastAbsence = reason
        await say(last == nil ? nil : "NVIDIA's driver is gone: \(reason)")
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
        let lost = metrics.first { $0.name == NVIDIAGraphics.lostMetric }?.samples ?? []
        let said =
            lost.map { "\($0.labels["card"] ?? "a GPU") is lost to its driver" }
            + faults.keys.map { "\($0.labels["card"] ?? ""): critical error \($0.labels["xid"] ?? "") (XID)" }
        await say(said.isEmpty ? nil : said.sorted().joined(separator: "; "))
    }

    private func say(_ problem: String?) async {
        guard problem != self.problem else { return }
        self.problem = problem
        await onChange(problem)
    }
}
