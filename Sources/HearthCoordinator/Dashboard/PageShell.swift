import Foundation

/// What all pages share: head, navigation, style; and the script that keeps them live.
enum PageShell {
    /// A whole page around `body`, which is HTML already.
    ///
    /// - Parameter job: whose log the page shows, where it shows one.
    static func page(_ title: String, _ body: String, job: String? = nil) -> String {
        let links = [("/", "Fleet"), ("/data", "Data"), ("/ledger", "Ledger"), ("/logout", "Log out")]
        let navigation = links.map { "<a href=\"\($0.0)\">\($0.1)</a>" }.joined(separator: " ")
        return """
            \(head(title))
            <body\(job.map { " data-log=\"\(escape($0))\"" } ?? "")>
            <a class="skip" href="#main">To the content</a>
            <header><h1>\(escape(title))</h1><nav aria-label="Pages">\(navigation)</nav></header>
            <main id="main" tabindex="-1">
            \(body)
            </main>
            <footer><small>As of <time>\(time(Date().timeIntervalSince1970))</time>. <span id="live" role="status"></span></small></footer>
            <script src="/dashboard.js"></script>
            </body></html>

            """
    }

    /// The page on which somebody says who they are.
    ///
    /// - Parameter problem: what was wrong with the token before.
    static func login(problem: String? = nil) -> String {
        """
        \(head("Hearth"))
        <body><main id="main"><h1>Hearth</h1>
        \(problem.map { "<p class=\"bad\" role=\"alert\">\(escape($0))</p>" } ?? "")
        <form method="post" action="/login">
        <p><label for="token">Token</label><br><input id="token" name="token" type="password" autocomplete="current-password" required autofocus size="40"></p>
        <p><button>Log in</button></p>
        </form>
        <p class="soft">An operator makes a user's token with <code>hearth user</code>.</p>
        </main></body></html>

        """
    }

    private static func head(_ title: String) -> String {
        """
        <!DOCTYPE html>
        <html lang="en"><head><meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>\(escape(title)) - Hearth</title>
        <style>\(style)</style></head>
        """
    }

    private static let style = """
        :root { color-scheme: light dark; --ink: #1c2126; --soft: #5c6670; --line: #d7dce0; --paper: #fff; --card: #f6f8f9; --link: #0b5a80; }
        @media (prefers-color-scheme: dark) {
          :root { --ink: #e6e9ec; --soft: #9aa5af; --line: #3a4148; --paper: #15181b; --card: #1e2327; --link: #7cc4ea; } }
        body { font: 15px/1.45 system-ui, "DejaVu Sans", sans-serif; color: var(--ink); background: var(--paper); margin: 0 auto; max-width: 1240px; padding: 1rem 1.5rem; }
        a { color: var(--link); } nav a { margin-left: 1rem; } :focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
        .skip { position: absolute; left: -999px; } .skip:focus { left: 1rem; top: .5rem; background: var(--paper); padding: .3rem; }
        h1 { font-size: 1.4rem; margin: 0; overflow-wrap: anywhere; } h2 { font-size: 1.1rem; margin: 1.6rem 0 .5rem; }
        header { display: flex; flex-wrap: wrap; justify-content: space-between; align-items: baseline; border-bottom: 1px solid var(--line); padding-bottom: .6rem; }
        footer { margin-top: 2rem; } small, .soft { color: var(--soft); }
        table { border-collapse: collapse; width: 100%; } .scroll { overflow-x: auto; }
        th { text-align: left; font-weight: 600; color: var(--soft); font-size: .85rem; }
        th, td { padding: .3rem .7rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
        td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
        tr.chosen td { font-weight: 600; } dt { font-weight: 600; } dd { margin: 0 0 .4rem; overflow-wrap: anywhere; }
        section.node { background: var(--card); border-radius: 8px; padding: .8rem 1rem; margin-bottom: .8rem; }
        .badge { border-radius: 9px; padding: 0 .6em; font-size: .85rem; border: 1px solid currentColor; }
        .good, .succeeded { color: #2e7d32; } .bad, .failed { color: #b3261e; } .running { color: #0b6e99; }
        @media (prefers-color-scheme: dark) { .good, .succeeded { color: #7bc67e; } .bad, .failed { color: #f2877f; } .running { color: #6db8dd; } }
        pre { background: var(--card); border-radius: 8px; padding: .8rem 1rem; overflow: auto; max-height: 30rem; white-space: pre-wrap; overflow-wrap: anywhere; }
        .charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(340px, 1fr)); gap: 1rem; }
        svg { background: var(--card); border-radius: 8px; width: 100%; } svg text { fill: currentColor; font-size: 11px; }
        svg .title { font-size: 13px; font-weight: 600; } svg .tick { text-anchor: end; fill: var(--soft); dominant-baseline: middle; } svg .time { fill: var(--soft); }
        svg .grid { stroke: var(--line); } svg .line { fill: none; stroke-width: 2; } svg .band { fill-opacity: 0.2; } svg .roof { fill: none; stroke: currentColor; stroke-width: 1.5; }
        """

    static func escape(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
            .replacing("\"", with: "&quot;")
    }

    static func time(_ seconds: Double) -> String { Date(timeIntervalSince1970: seconds).formatted(.iso8601) }

    /// Rows of cells that are HTML already under headings that are text; a heading that begins with `#` is of numbers.
    static func table(_ caption: String, _ headings: [String], _ rows: [[String]], chosen: Int? = nil) -> String {
        let isNumber = headings.map { $0.hasPrefix("#") }
        // Types are said: GRDB's SQL is made of literals, too.
        let head = headings.map { heading -> String in
            heading.hasPrefix("#")
                ? "<th scope=\"col\" class=\"n\">\(escape(String(heading.dropFirst())))</th>"
                : "<th scope=\"col\">\(escape(heading))</th>"
        }.joined()
        let body = rows.enumerated().map { index, cells -> String in
            let cells: String = zip(cells, isNumber).map { $1 ? "<td class=\"n\">\($0)</td>" : "<td>\($0)</td>" }
                .joined()
            return "<tr\(index == chosen ? " class=\"chosen\"" : "")>\(cells)</tr>"
        }.joined(separator: "\n")
        return """
            <div class="scroll"><table><caption class="skip">\(escape(caption))</caption><thead><tr>\(head)</tr></thead><tbody>
            \(body)
            </tbody></table></div>
            """
    }

    static func link(_ path: String, _ text: String) -> String { "<a href=\"\(escape(path))\">\(escape(text))</a>" }

    static func list(_ facts: [(String, String)]) -> String {
        "<dl>" + facts.map { "<dt>\(escape($0.0))</dt><dd>\($0.1)</dd>" }.joined(separator: "\n") + "</dl>"
    }
}
