import Foundation
import HearthFleet

/// What was decided about an ended attempt, written down before anything is done about it: after a crash it is done, and not decided anew.
struct Settlement: Codable {
    enum Fate: String, Codable {
        /// The output goes where it belongs, once the coordinator allows it.
        case publish
        case discard
        /// It cannot go there, and stays beside it.
        case keep
    }

    var outcome: JobOutcome
    var fate: Fate
}

extension JobSupervisor {
    /// Has an ended job's output where it belongs, or not at all.
    ///
    /// - Returns: how the job ended; nil while the coordinator cannot be asked.
    func settle(_ job: AgentStore.ActiveJob, _ child: ChildProcess) async throws -> JobOutcome? {
        let assignment = job.assignment
        guard let output = StagedOutput(assignment) else { return outcome(of: job, child) }
        var settlement = try child.settlement ?? decide(outcome(of: job, child), output, child)
        if settlement.fate == .publish, output.exists {
            try await publish(output, of: assignment, &settlement)
            if settlement.fate == .publish, output.exists { return nil }
            try child.write(settlement)
        }
        if settlement.fate == .discard { output.discard() }
        return settlement.outcome
    }

    private func decide(_ outcome: JobOutcome, _ output: StagedOutput, _ child: ChildProcess) throws -> Settlement {
        var outcome = outcome
        outcome.output = outcome.output.map { FileUse(path: output.path, sha256: $0.sha256) }
        outcome.message = outcome.message?.replacing(output.staged, with: output.path)
        let isWorth = outcome.lostLease != true && output.exists && output.isWorth(outcome)
        if !isWorth { outcome.output = nil }
        let settlement = Settlement(outcome: outcome, fate: isWorth ? .publish : .discard)
        try child.write(settlement)
        return settlement
    }

    private func publish(
        _ output: StagedOutput, of assignment: Assignment, _ settlement: inout Settlement
    ) async throws {
        func give(_ fate: Settlement.Fate) { (settlement.fate, settlement.outcome.output) = (fate, nil) }
        do {
            guard try await publish(assignment.id) else {
                logger.warning("another attempt took this one's place", metadata: ["job": "\(assignment.job)"])
                return give(.discard)
            }
        } catch {
            logger.debug("publishing waits", metadata: ["job": "\(assignment.job)", "because": "\(error)"])
            guard assignment.spec.onPartition == .stop, leases.isOver else {
                return try await Task.sleep(for: .seconds(1))
            }
            settlement.outcome.lostLease = true
            return give(.discard)
        }
        var problem: (any Error)?
        for _ in 0..<5 {
            do { return try output.publish(over: child(assignment).target) } catch { problem = error }
            try await Task.sleep(for: .seconds(1))
        }
        logger.error("an output stays where it is", metadata: ["file": "\(output.staged)", "because": "\(problem!)"])
        settlement.outcome.exitCode = 75
        settlement.outcome.message = "\(problem!); what was written is in \(output.staged)"
        give(.keep)
    }
}
