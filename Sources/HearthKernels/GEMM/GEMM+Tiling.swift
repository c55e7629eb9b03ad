import CKernels
import HearthCompute

extension GEMM {
    /// Tile sizes of this machine's level and the blocking that fits its caches.
    struct Blocking {
        let rows = Int(ck_gemm_strip_rows())
        let columns = Int(ck_gemm_panel_columns())
        /// Depth of a block: a strip of A and the panels of B that meet it (CK_GROUP) share the second-level cache.
        let depth: Int
        /// Rows of a task: its part of A takes half of the second-level cache.
        let height: Int
        /// Panels of a task: its part of C stays near, and no thread waits long for another's last task.
        let width: Int
        /// Panels of a task that copies the rows of A it meets.
        let copyingWidth: Int

        /// Whether so few rows meet a panel that reading it is most of the work.
        func isThin(_ rows: Int) -> Bool { rows <= 2 * self.rows }

        private init() {
            let l2 = Int(ck_cache_bytes(2))
            depth = l2 >= 512 << 10 ? 512 : 256
            height = (l2 / 2 / (4 * depth) + rows - 1) / rows * rows
            (width, copyingWidth) = (256 / columns, 1024 / columns)
        }
        // Each made while its level is the current one: tests change it.
        private static let portable = Blocking()
        private static let avx2 = Blocking()
        private static let avx512 = Blocking()
        static var machine: Blocking {
            switch ck_level_index() {
            case 0: portable
            case 1: avx2
            default: avx512
            }
        }
    }
}

/// C cut into tasks of rows and whole panels: enough of them to keep every thread busy to the end. Where the borders lie does
/// not change any result.
struct Tiling: Sendable {
    private let m, panels: Int
    let rowTasks, panelTasks: Int

    /// Multiply-adds below which a second thread costs more than it brings, those from which it always pays, and between them
    /// what was measured.
    private static let (alone, shared) = (1 << 17, 3 << 17)
    /// Multiply-adds of a task that is worth handing out: of a few rows, whose weights must be read once, and of many. More
    /// tasks than threads: processors are shared with others.
    private static let (thinTask, thickTask) = (1 << 20, 1 << 22)
    private static let (fewStrips, fewPanels) = (4, 8)

    /// - Parameter copiesA: Whether every task copies the rows of A that it meets.
    init(m: Int, panels: Int, k: Int, threads: Int, copiesA: Bool, _ blocking: GEMM.Blocking) {
        (self.m, self.panels) = (m, panels)
        let strips = max(1, (m + blocking.rows - 1) / blocking.rows)
        let work = m * panels * blocking.columns * k
        let isThin = strips <= Self.fewStrips
        let most = isThin ? min(8 * threads, work / Self.thinTask) : min(4 * threads, work / Self.thickTask)
        let isSmall =
            threads > 1
            && (work < Self.alone || work < Self.shared && GEMMChoice.keepsSmallAlone(threads: threads))
        let wanted = threads == 1 || isSmall ? 1 : max(threads, most)
        if isThin {
            // One pass over B, which is what must be read only once.
            rowTasks = panels >= wanted ? 1 : min(strips, wanted)
            panelTasks = max(1, min(panels, (wanted + rowTasks - 1) / rowTasks))
        } else {
            // As tall as the cache allows: every task reads all of its panels, and packs them itself where they are many.
            let heights = (m + blocking.height - 1) / blocking.height
            let width = isSmall ? max(1, panels) : copiesA ? blocking.copyingWidth : blocking.width
            let widths = (panels + width - 1) / width
            let narrowest = max(widths, panels / Self.fewPanels, 1)
            panelTasks = min(narrowest, max(widths, (wanted + heights - 1) / heights))
            let rows = max(heights, min(strips, (wanted + panelTasks - 1) / panelTasks))
            // The same number for every thread.
            let even = (rows + threads - 1) / threads * threads
            rowTasks =
                wanted > 1 && rows * panelTasks % threads != 0 && even <= strips && rows < 4 * threads ? even : rows
        }
    }

    var count: Int { rowTasks * panelTasks }

    subscript(task: Int) -> (rows: Range<Int>, panels: Range<Int>) {
        let (r, p) = (task / panelTasks, task % panelTasks)
        return (m * r / rowTasks..<m * (r + 1) / rowTasks, panels * p / panelTasks..<panels * (p + 1) / panelTasks)
    }
}
