import CKernels
import HearthCompute
import Synchronization

/// Our own blocked product (Goto): panels of B packed together, blocks of A packed by the task that uses them.
extension GEMM {
    /// Tile sizes of this machine's level and the blocking that fits its caches.
    struct Blocking {
        let rows = Int(ck_gemm_strip_rows())
        let columns = Int(ck_gemm_panel_columns())
        /// Depth of a block: a panel of B takes two thirds of the first-level cache.
        let depth: Int
        /// Rows of a block: packed A takes a quarter of the second-level cache.
        let height: Int

        private init() {
            let (l1, l2) = (Int(ck_cache_bytes(1)), Int(ck_cache_bytes(2)))
            depth = max(64, l1 * 2 / 3 / (4 * columns) / 64 * 64)
            height = max(rows, l2 / 4 / (4 * depth) / rows * rows)
            plainBytes = l2 / 4
        }
        /// Of a B that need not be packed.
        let plainBytes: Int
        /// One a level: tests change it.
        private static let levels = Mutex<[Int32: Blocking]>([:])
        static var machine: Blocking {
            levels.withLock { known in
                let level = ck_level_index()
                if let blocking = known[level] { return blocking }
                known[level] = Blocking()
                return known[level]!
            }
        }
    }

    /// Products too small to share out; 2 m n k.
    private static let oneThreadFlops = 1e6

    static func blocked(_ p: Problem, _ a: Tensor, _ b: Tensor, _ c: Tensor, _ cpu: CPUDevice) {
        let (left, right, out) = (Operand(a, 0, 1), Operand(b, 1, 0), Operand(c, 0, 1))
        if 2 * Double(p.m) * Double(p.n) * Double(p.k) <= oneThreadFlops {
            small(p.m, p.n, p.k, left, right, out, cpu.scratch)
        } else {
            shared(p, left, right, out, cpu)
        }
    }

    /// C = alpha A B + beta C: C is scaled first, then added to.
    static func runScaled(
        _ p: Problem, _ a: Tensor, _ b: Tensor, _ alpha: Float, _ beta: Float, _ c: Tensor, _ cpu: CPUDevice
    ) {
        let out = c.hostPointer(as: Float.self)
        for i in 0..<p.m * p.n { out[i] = beta == 0 ? 0 : out[i] * beta }
        if p.k == 0 { return }
        var left = Operand(a, 0, 1)
        left.scale = alpha
        shared(p, left, Operand(b, 1, 0), Operand(c, 0, 1), adds: true, cpu)
    }

    /// A matrix in memory: element (i, j) is at `i * row + j * column`.
    struct Operand: @unchecked Sendable {
        let pointer: UnsafeMutablePointer<Float>
        let row, column: Int
        /// Of every element as it is packed; operands on the left only.
        var scale: Float = 1

        init(_ pointer: UnsafeMutablePointer<Float>, _ row: Int, _ column: Int) {
            (self.pointer, self.row, self.column) = (pointer, row, column)
        }

        /// The matrix that dimensions `row` and `column` of an f32 tensor span.
        init(_ tensor: Tensor, _ row: Int, _ column: Int) {
            self.init(tensor.hostPointer(as: Float.self), tensor.strides[row], tensor.strides[column])
        }

        func advanced(_ elements: Int) -> Operand {
            var moved = Operand(pointer + elements, row, column)
            moved.scale = scale
            return moved
        }
    }

    /// The whole product on this thread. B is read in place where its rows are whole panels.
    static func small(
        _ m: Int, _ n: Int, _ k: Int, _ a: Operand, _ b: Operand, _ c: Operand, _ scratch: ScratchMemory
    ) {
        let columns = Blocking.machine.columns
        let isPlain = b.column == 1 && n % columns == 0
        let panels = (n + columns - 1) / columns
        let sizeA = (m * k + Int(CK_PACK_SLACK) + 15) / 16 * 16
        scratch.withTemporary(Float.self, sizeA + (isPlain ? 0 : panels * columns * k)) { packed in
            let packedB = packed + sizeA
            if !isPlain {
                ck_gemm_pack_b_f32(
                    b.pointer, Int64(b.row), Int64(b.column), Int64(n), Int64(k), Int64(k * columns), packedB)
            }
            ck_gemm_pack_a(a.pointer, Int64(a.row), Int64(a.column), Int64(m), Int64(k), a.scale, packed)
            var block = ck_gemm_block_t()
            (block.m, block.n, block.k) = (Int64(m), Int64(n), Int64(k))
            block.a = UnsafePointer(packed)
            block.b = UnsafeRawPointer(isPlain ? b.pointer : packedB)
            (block.b_row, block.b_panel) = (Int64(isPlain ? b.row : columns), Int64(isPlain ? columns : k * columns))
            (block.c, block.ldc) = (c.pointer, Int64(c.row))
            ck_gemm_block(&block)
        }
    }

    /// Bytes of B that are packed at once; beyond that the product is made in several slices of k.
    private static let packedBytes = 256 << 20

    static func shared(
        _ p: Problem, _ a: Operand, _ b: Operand, _ c: Operand, adds: Bool = false, _ cpu: CPUDevice
    ) {
        let blocking = Blocking.machine
        let columns = blocking.columns
        let panels = (p.n + columns - 1) / columns
        // A small B with whole panels in its rows is read where it lies.
        if b.column == 1, p.n % columns == 0, 4 * p.n * p.k <= blocking.plainBytes {
            return multiply(p, a, b.pointer, rowStride: b.row, panelStride: columns, 0..<p.k, c, adds: adds, cpu)
        }
        let slice = max(blocking.depth, packedBytes / (4 * panels * columns) / blocking.depth * blocking.depth)
        cpu.scratch.withTemporary(Float.self, panels * columns * min(slice, p.k)) { packed in
            nonisolated(unsafe) let packed = packed
            for k0 in stride(from: 0, to: p.k, by: slice) {
                let k = min(slice, p.k - k0)
                cpu.parallel(panels, grain: max(1, 65536 / (columns * k))) { range in
                    let first = range.lowerBound * columns
                    ck_gemm_pack_b_f32(
                        b.pointer + k0 * b.row + first * b.column, Int64(b.row), Int64(b.column),
                        Int64(min(p.n, range.upperBound * columns) - first), Int64(k), Int64(k * columns),
                        packed + first * k)
                }
                multiply(p, a, packed, rowStride: columns, panelStride: k * columns, k0..<k0 + k, c, adds: adds, cpu)
            }
        }
    }

    /// C (+)= A B over `ks` with B laid out in panels. A task makes its part of C block after block of k, so that the part
    /// stays in its cache.
    private static func multiply(
        _ p: Problem, _ a: Operand, _ b: UnsafeMutablePointer<Float>, rowStride: Int, panelStride: Int,
        _ ks: Range<Int>, _ c: Operand, adds: Bool, _ cpu: CPUDevice
    ) {
        nonisolated(unsafe) let b = b
        let blocking = Blocking.machine
        let panels = (p.n + blocking.columns - 1) / blocking.columns
        let tiling = Tiling(m: p.m, panels: panels, k: p.k, threads: cpu.threadCount, blocking)
        cpu.run(tiling.count) { task in
            let (rows, range) = tiling[task]
            let first = range.lowerBound * blocking.columns
            var block = ck_gemm_block_t()
            block.n = Int64(min(p.n, range.upperBound * blocking.columns) - first)
            (block.b_row, block.b_panel) = (Int64(rowStride), Int64(panelStride))
            (block.c, block.ldc) = (c.pointer + rows.lowerBound * c.row + first, Int64(c.row))
            for k0 in stride(from: ks.lowerBound, to: ks.upperBound, by: blocking.depth) {
                let at = a.advanced(rows.lowerBound * a.row + k0 * a.column)
                block.b = UnsafeRawPointer(b + range.lowerBound * panelStride + (k0 - ks.lowerBound) * rowStride)
                block.accumulate = k0 > 0 || adds
                runBlock(&block, rows.count, min(blocking.depth, ks.upperBound - k0), at, cpu.scratch)
            }
        }
    }

    /// Packs `m` rows of A and multiplies them with the block's panels of B.
    static func runBlock(
        _ block: inout ck_gemm_block_t, _ m: Int, _ k: Int, _ a: Operand, _ scratch: ScratchMemory
    ) {
        scratch.withTemporary(Float.self, m * k + Int(CK_PACK_SLACK)) { packed in
            ck_gemm_pack_a(a.pointer, Int64(a.row), Int64(a.column), Int64(m), Int64(k), a.scale, packed)
            (block.m, block.k) = (Int64(m), Int64(k))
            block.a = UnsafePointer(packed)
            ck_gemm_block(&block)
        }
    }
}

/// C cut into tasks of whole strips and panels: enough of them to keep every thread busy to the end. Where the borders lie
/// does not change any result.
struct Tiling: Sendable {
    private let m, strips, panels, rowTasks, panelTasks: Int

    init(m: Int, panels: Int, k: Int, threads: Int, _ blocking: GEMM.Blocking) {
        (self.m, self.panels) = (m, panels)
        strips = max(1, (m + blocking.rows - 1) / blocking.rows)
        // Handing out a task costs a microsecond, about 2^18 multiply-adds.
        let work = m * panels * blocking.columns * k
        let wanted = threads == 1 ? 1 : max(threads, min(8 * threads, work >> 20))
        // A few strips of rows share one pass over B, which then is what must be read only once.
        let heights = (m + blocking.height - 1) / blocking.height
        rowTasks = strips <= 4 ? (panels >= wanted ? 1 : min(strips, wanted)) : max(heights, min(wanted, strips))
        panelTasks = max(1, min(panels, (wanted + rowTasks - 1) / rowTasks))
    }

    var count: Int { rowTasks * panelTasks }

    subscript(task: Int) -> (rows: Range<Int>, panels: Range<Int>) {
        let (r, p) = (task / panelTasks, task % panelTasks)
        func row(_ border: Int) -> Int { m * (strips * border / rowTasks) / strips }
        return (row(r)..<row(r + 1), panels * p / panelTasks..<panels * (p + 1) / panelTasks)
    }
}
