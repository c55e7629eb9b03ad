import Foundation

extension RecordSheet {
    /// The sheet as one page that needs nothing else: to be printed, or given to an auditor with the ledger's copy.
    public var html: String {
        let rows = uses.map { use in
            let data = use.data.map { "\($0.name) v\($0.version.map(String.init) ?? "-") (\($0.tier ?? "no label"))" }
            return Self.row([
                "\(use.leaf)", use.job, Self.time(use.startedAt), "\(use.site ?? "-") / \(use.node ?? "-")",
                use.device ?? "-",
                "\(use.kind?.rawValue ?? "-")\(use.purpose.map { ", \($0.rawValue)" } ?? "")",
                use.state?.rawValue ?? "-",
                data.isEmpty ? "none named" : data.joined(separator: ", "), use.decision ?? "-",
                Self.number(use.seconds, "s"), Self.number(use.flops.map { $0 / 1e12 }, "TFLOP"),
                Self.number(use.energyJoules, "J"), Self.number(use.cost, ""),
            ])
        }
        let energy =
            totals.energyJoules.map {
                "\(Self.number($0, "J")) measured in \(totals.jobsWithEnergy) of \(totals.jobs) jobs"
            }
            ?? "not measured: these machines have no counters"
        func counts(_ counts: [String: Int]) -> String {
            counts.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: ", ")
        }
        let answers = [
            ("Which model", "SHA-256 \(sha256); known as \(paths.joined(separator: ", "))"),
            (
                "Which data",
                totals.data.isEmpty ? "no job that used it named any" : "jobs by dataset: \(counts(totals.data))"
            ),
            ("Where", "jobs by site: \(counts(totals.sites))"),
            (
                "When",
                uses.isEmpty ? "-" : "\(Self.time(uses[0].startedAt)) to \(Self.time(uses[uses.count - 1].finishedAt))"
            ),
            (
                "How much compute",
                "\(Self.number(totals.seconds, "s")), \(Self.number(totals.flops / 1e12, "TFLOP")) as modelled"
            ),
            ("How much energy", energy),
            (
                "What it cost",
                totals.cost.map {
                    "\(Self.number($0, "")) in the price list's currency, of \(totals.jobsWithCost) of \(totals.jobs) jobs"
                } ?? "not known"
            ),
            (
                "Evidence",
                "\(leaves) leaves of the ledger \(ledger); each line names its leaf: hearth ledger prove COPY LEAF"
            ),
        ]
        return """
            <!DOCTYPE html>
            <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
            <title>Record of \(Self.escape(String(sha256.prefix(12))))</title>
            <style>
            :root { color-scheme: light dark; } body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }
            table { border-collapse: collapse; width: 100%; font-size: 13px; } th, td { text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid #8886; }
            dt { font-weight: 600; } dd { margin: 0 0 .5rem; overflow-wrap: anywhere; } .scroll { overflow-x: auto; }
            </style></head><body>
            <h1>Record of a model</h1>
            <dl>\(answers.map { "<dt>\(Self.escape($0.0))</dt><dd>\(Self.escape($0.1))</dd>" }.joined(separator: "\n"))</dl>
            <h2>Every use on record</h2>
            <div class="scroll"><table>
            <tr>\(["Leaf", "Job", "Began", "Site / node", "Device", "For", "Ended", "Data", "By which rule", "Time", "Compute", "Energy", "Cost"].map { "<th>\($0)</th>" }.joined())</tr>
            \(rows.joined(separator: "\n"))
            </table></div>
            </body></html>

            """
    }

    private static func row(_ cells: [String]) -> String {
        "<tr>" + cells.map { "<td>\(escape($0))</td>" }.joined() + "</tr>"
    }

    private static func time(_ seconds: Double) -> String { Date(timeIntervalSince1970: seconds).formatted(.iso8601) }

    private static func number(_ value: Double?, _ unit: String) -> String {
        guard let value else { return "-" }
        return String(format: "%.4g", value) + (unit.isEmpty ? "" : " \(unit)")
    }

    private static func escape(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
            .replacing("\"", with: "&quot;")
    }
}
