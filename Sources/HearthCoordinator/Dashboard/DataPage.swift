import HearthFleet
import HearthPolicy

/// Datasets with their labels; and of one, where it is and what was made from it.
enum DataPage {
    static func list(_ labels: [DatasetLabel]?) -> String {
        guard let labels else {
            return PageShell.page("Data", "<p>This coordinator has no labels: its settings name no folder of them.</p>")
        }
        let rows = labels.sorted { $0.name < $1.name }.map { label in
            [
                PageShell.link("/data/\(label.name)", label.name), label.tier.rawValue,
                PageShell.escape(label.purposes.map(\.rawValue).sorted().joined(separator: ", ")),
                PageShell.escape(label.sites.map { $0.sorted().joined(separator: ", ") } ?? "wherever its tier allows"),
                label.expiresAt.map { PageShell.time(Double($0)) } ?? "never", "\(label.shards.count)",
                PageShell.escape(label.derivedFrom.sorted().joined(separator: ", ")),
            ]
        }
        let table = PageShell.table(
            "Labels", ["Dataset", "Tier", "For", "Sites", "Expires", "#Files", "Made from"], rows)
        return PageShell.page("Data", "<div data-live>\(table)</div>")
    }

    static func one(_ places: DataPlaces) -> String {
        let rows = places.copies.map { copy in
            [
                copy.relation == .shard ? "file of it" : "made from it", PageShell.escape(copy.name ?? "-"),
                PageShell.link("/nodes/\(copy.node)", copy.node), PageShell.escape(copy.site ?? "-"),
                PageShell.escape(copy.path), "<code>\(PageShell.escape(String(copy.sha256.prefix(16))))</code>",
                PageShell.link("/jobs/\(copy.job)", copy.job), PageShell.time(copy.at),
            ]
        }
        var notes = places.isLabelled ? "" : "<p class=\"bad\">There is no label of that name.</p>"
        if !places.unseenShards.isEmpty {
            notes += "<p>Read by no job yet: \(PageShell.escape(places.unseenShards.joined(separator: ", "))).</p>"
        }
        let table = PageShell.table(
            "Places", ["What", "Name", "Node", "Site", "Path", "SHA-256", "Seen by", "When"], rows)
        return PageShell.page(places.name, "<div data-live>\(notes)\(table)</div>")
    }
}
