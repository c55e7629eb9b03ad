import HearthJSON
import HearthLedger

/// The log's newest leaves and checkpoint, and a button that checks all of it in the browser.
enum LedgerPage {
    static func html(_ note: SignedNote, key: VerifierKey, newest: [(index: Int, job: String, leaf: String)]) -> String
    {
        let rows = newest.map {
            ["\($0.index)", PageShell.link("/jobs/\($0.job)", $0.job), "<code>\(PageShell.escape($0.leaf))</code>"]
        }
        let body = """
            <p><button id="verify" data-key="\(PageShell.escape("\(key)"))">Check it in this browser</button> <span id="verdict" role="status"></span></p>
            <h2>Checkpoint</h2><div data-live><pre>\(PageShell.escape("\(note)"))</pre></div>
            <p class="soft">The key, which should have come to you by another way: <code>\(PageShell.escape("\(key)"))</code></p>
            <h2>Newest leaves</h2><div data-live>\(PageShell.table("Newest leaves", ["#Leaf", "Job", "What it says"], rows))</div>
            """
        return PageShell.page("Ledger", body)
    }
}
