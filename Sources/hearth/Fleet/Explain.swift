import ArgumentParser
import Foundation
import HearthAgent
import HearthFleet
import HearthPlacement

struct Explain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say where a job went, or would go now, and why: every node with its numbers or what refused it.")

    @Argument(help: "Job id.") var job: String
    @OptionGroup var options: CoordinatorOptions
    @Flag(help: "Print JSON.") var json = false

    func run() async throws {
        let decision = try await options.client().get("/v1/jobs/\(job)/placement", as: PlacementDecision.self)
        if json { return try Terminal.json(decision) }
        var table = TextTable("", "NODE", "SITE", "DEVICE", "RUNS", "WAITS", "ENDS", "COST", "")
        for candidate in decision.candidates {
            func time(_ seconds: Double?) -> String { seconds.map(Figure.seconds) ?? "-" }
            table.add(
                candidate.node == decision.chosen ? "*" : "", candidate.node,
                candidate.site.map { "\($0.name) (\($0.kind.rawValue), \($0.country))" } ?? "-",
                candidate.device ?? "-", time(candidate.predicted?.seconds),
                candidate.refusal == nil ? time(candidate.waitSeconds) : "-", time(candidate.finishSeconds),
                candidate.cost.map { String(format: "%.4f %@", $0, decision.currency) } ?? "-", note(candidate))
        }
        Terminal.out(table.text)
        let deadline = decision.deadlineSeconds.map { String(format: ", which was to end within %.0f s", $0) } ?? ""
        Terminal.out("\n\(job)\(deadline): \(decision.chosen.map { "\($0) " } ?? "")\(decision.reason)")
    }

    private func note(_ candidate: Candidate) -> String {
        if let refusal = candidate.refusal { return "no: \(refusal)" }
        guard let predicted = candidate.predicted else { return "its time cannot be predicted" }
        let unknown = predicted.kernels - predicted.measuredKernels
        return unknown == 0 ? "" : "\(unknown) of \(predicted.kernels) kernels at their roof: never run there"
    }
}
