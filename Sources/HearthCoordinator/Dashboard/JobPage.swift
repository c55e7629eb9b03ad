import Foundation
import HearthFleet
import HearthPlacement

/// One job: where it went and why, predicted against actual, cost, what it read and wrote, its log as it grows, its leaves.
struct JobPage {
    let html: String

    init(_ job: JobRecord, placement: PlacementDecision?, leaves: [Int], currency: String) {
        let outcome = job.outcome
        func file(_ file: FileUse?) -> String? {
            file.map { "\(PageShell.escape($0.path)) <small>SHA-256 \(PageShell.escape($0.sha256))</small>" }
        }
        var facts: [(String, String?)] = [
            ("State", "<span class=\"\(job.state.rawValue)\" data-state>\(job.state.rawValue)</span>"),
            ("Waits for", job.waitingFor.map(PageShell.escape)), ("Message", outcome?.message.map(PageShell.escape)),
            ("Kind", job.spec.kind.rawValue), ("Node", job.node.map { PageShell.link("/nodes/\($0)", $0) }),
            ("Device", outcome?.device.map(PageShell.escape)),
            ("Predicted, actual", "\(Self.seconds(job.predictedSeconds)) s, \(Self.seconds(outcome?.actualSeconds)) s"),
            ("Cost", job.cost.map { String(format: "%.4f ", $0) + PageShell.escape(currency) }),
            ("Submitted", PageShell.time(job.submittedAt)), ("Ended", job.finishedAt.map(PageShell.time)),
            ("Data", job.spec.data.map { $0.map { PageShell.link("/data/\($0)", $0) }.joined(separator: ", ") }),
            ("By which rule", outcome?.decision.map(PageShell.escape)), ("Model", file(outcome?.model)),
        ]
        facts += [("Input", file(outcome?.input)), ("Output", file(outcome?.output))]
        facts.append(
            (
                "Ledger",
                leaves.isEmpty
                    ? nil
                    : "leaves \(leaves.map(String.init).joined(separator: ", ")) of the "
                        + PageShell.link("/ledger", "ledger")
            ))
        let figures = (outcome?.figures ?? [:]).sorted { $0.key < $1.key }
            .map { [PageShell.escape($0.key), String(format: "%.4g", $0.value)] }
        let body = """
            <div data-live>\(PageShell.list(facts.compactMap { fact in fact.1.map { (fact.0, $0) } }))</div>
            <h2>Why there</h2><div data-live>\(placement.map(Self.table) ?? "<p class=\"soft\">It was not placed.</p>")</div>
            <h2>Log</h2><pre id="log" tabindex="0" role="log" aria-label="Log"></pre>
            <h2>Figures</h2><div data-live>\(PageShell.table("Figures", ["Figure", "#Value"], figures))</div>
            """
        html = PageShell.page("\(job.id): \(job.spec.name)", body, job: job.id)
    }

    private static func table(_ decision: PlacementDecision) -> String {
        let rows = decision.candidates.map { candidate in
            [
                PageShell.link("/nodes/\(candidate.node)", candidate.node),
                candidate.site.map { PageShell.escape("\($0.name) (\($0.kind.rawValue), \($0.country))") } ?? "-",
                PageShell.escape(candidate.device ?? "-"), seconds(candidate.predicted?.seconds),
                candidate.refusal == nil ? seconds(candidate.waitSeconds) : "-", seconds(candidate.finishSeconds),
                candidate.cost.map { String(format: "%.4f", $0) } ?? "-", PageShell.escape(candidate.refusal ?? ""),
            ]
        }
        let chosen = decision.candidates.firstIndex { $0.node == decision.chosen }
        let who = decision.chosen.map { "\($0) " } ?? ""
        return "<p>\(PageShell.escape(who + decision.reason)).</p>"
            + PageShell.table(
                "Candidates",
                [
                    "Node", "Site", "Device", "#Runs s", "#Waits s", "#Ends s", "#Cost \(decision.currency)",
                    "Refused because",
                ],
                rows, chosen: chosen)
    }

    static func seconds(_ value: Double?) -> String { value.map { String(format: "%.2f", $0) } ?? "-" }
}
