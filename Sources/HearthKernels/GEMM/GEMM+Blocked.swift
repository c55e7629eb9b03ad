import CKernels
import Foundation
import HearthCompute

/// Our own blocked product (Goto): rows of A and panels of B are read where they lie wherever that is as fast as a copy.
extension GEMM {
    /// A as tasks see it: element (i, l) is at `i * row + l * column`.
    struct Left: @unchecked Sendable {
        let pointer: UnsafeRawPointer
        let dtype: DType
        let row, column: Int
        /// Of every element as it is copied.
        var scale: Float = 1
        /// bf16 that the machine multiplies as it is, instead of being widened.
        var isDotted = false

        init(_ pointer: UnsafeRawPointer, _ dtype: DType = .f32, row: Int, column: Int) {
            (self.pointer, self.dtype, self.row, self.column) = (pointer, dtype, row, column)
        }

        /// The matrix of a tensor's last two dimensions.
        init(_ tensor: Tensor) {
            self.init(
                tensor.hostPointer(as: UInt8.self), tensor.dtype, row: tensor.strides[tensor.shape.count - 2],
                column: tensor.strides[tensor.shape.count - 1])
        }

        /// Calls `body` with a block as rows of f32 (dotted: of bf16), so many elements apart, k contiguous: in place, or
        /// copied. Rows that lie whole pages apart would all fall into one set of the cache.
        func withBlock(
            _ rows: Range<Int>, _ ks: Range<Int>, _ scratch: ScratchMemory, _ body: (UnsafeRawPointer, Int) -> Void
        ) {
            if !isCopied(rows.count, ks.count) {
                return body(pointer + (rows.lowerBound * row + ks.lowerBound * column) * dtype.blockByteCount, row)
            }
            let pitch = Self.pitch(ks.count)
            scratch.withTemporary(Float.self, rows.count * pitch) { out in
                copy(rows, ks, into: out, pitch)
                body(out, pitch)
            }
        }

        private func isCopied(_ rows: Int, _ ks: Int) -> Bool {
            let isPaged = row * dtype.blockByteCount % 4096 == 0 && rows > 1
            return !(dtype == .f32 || isDotted) || !(column == 1 || ks == 1) || scale != 1 || isPaged
        }

        private func isCopiedOnce(_ m: Int, _ k: Int) -> Bool {
            !isDotted && isCopied(m, k) && m * Self.pitch(k) * 4 <= GEMM.sharedByteCount
        }

        /// Whether every task of a product copies the rows that it meets.
        func isCopiedByTasks(_ m: Int, _ k: Int) -> Bool { isCopied(m, k) && !isCopiedOnce(m, k) }

        /// Of a copy of so many columns: whole lines, and never whole pages.
        private static func pitch(_ columns: Int) -> Int {
            let pitch = (columns + 15) / 16 * 16 + 16
            return pitch % 1024 == 0 ? pitch + 16 : pitch
        }

        private func copy(_ rows: Range<Int>, _ ks: Range<Int>, into out: UnsafeMutablePointer<Float>, _ pitch: Int) {
            let from = pointer + (rows.lowerBound * row + ks.lowerBound * column) * dtype.blockByteCount
            if isDotted {
                for r in 0..<rows.count {
                    memcpy(UnsafeMutableRawPointer(out) + 2 * r * pitch, from + 2 * r * row, 2 * ks.count)
                }
            } else if dtype == .f32 {
                ck_gemm_copy_a(
                    from.assumingMemoryBound(to: Float.self), Int64(row), Int64(column), Int64(rows.count),
                    Int64(ks.count), scale, out, Int64(pitch))
            } else {
                for r in 0..<rows.count {
                    let wide = UnsafeMutableBufferPointer(start: out + r * pitch, count: ks.count)
                    widen(dtype, from + r * row * dtype.blockByteCount, wide)
                }
            }
        }

        /// Calls `body` with A as every task would copy it for itself, copied once by all threads; with itself where no task copies.
        func copiedOnce(_ m: Int, _ k: Int, _ cpu: CPUDevice, _ body: (Left) -> Void) {
            if !isCopiedOnce(m, k) { return body(self) }
            let pitch = Self.pitch(k)
            cpu.scratch.withTemporary(Float.self, m * pitch) { memory in
                nonisolated(unsafe) let out = memory
                cpu.parallel(m, grain: max(16, (1 << 16) / max(1, k))) { rows in
                    copy(rows, 0..<k, into: out + rows.lowerBound * pitch, pitch)
                }
                body(Left(out, row: pitch, column: 1))
            }
        }
    }

    /// B as tasks see it, `[k, n]`.
    struct Right: @unchecked Sendable {
        enum Layout {
            /// Element (l, j) is at `l * row + j * column`, f32.
            case plain(row: Int, column: Int)
            /// Packed for the tile: panels of so many elements.
            case panels(ck_format_t, size: Int)
        }
        let pointer: UnsafeRawPointer
        let layout: Layout
        /// Whether panels that could be read in place are packed, too, for products of many rows.
        let isPacked: Bool

        /// - Parameter isPacked: nil: where `hasPageEach`.
        init(_ pointer: UnsafeRawPointer, _ layout: Layout, isPacked: Bool? = nil) {
            (self.pointer, self.layout) = (pointer, layout)
            if case .plain(let row, column: 1) = layout {
                self.isPacked = isPacked ?? Self.hasPageEach(row: row)
            } else {
                self.isPacked = true
            }
        }

        /// Whether rows of f32 lie so far apart that each is in a page of its own.
        static func hasPageEach(row: Int) -> Bool { row * 4 >= 4096 }

        /// Weights `[n, k]` of a tensor's last two dimensions.
        init(weights tensor: Tensor, isPacked: Bool? = nil) {
            let last = tensor.shape.count - 1
            self.init(
                tensor.hostPointer(as: UInt8.self),
                .plain(row: tensor.strides[last], column: tensor.strides[last - 1]), isPacked: isPacked)
        }

        /// Packs a plain B into panels of all of k, by all threads.
        func pack(_ n: Int, _ k: Int, into packed: UnsafeMutablePointer<Float>, _ cpu: CPUDevice) {
            guard case .plain(let row, let column) = layout else { preconditionFailure("it is packed") }
            nonisolated(unsafe) let (from, out) = (pointer.assumingMemoryBound(to: Float.self), packed)
            let columns = Int(ck_gemm_panel_columns())
            cpu.run((n + columns - 1) / columns) { panel in
                let first = panel * columns
                ck_gemm_pack_b_f32(
                    from + first * column, Int64(row), Int64(column), Int64(min(columns, n - first)), Int64(k), 0,
                    out + first * k)
            }
        }

        /// Calls `body` with B packed once by all threads, as every task would for itself; with itself where no task packs.
        func packedOnce(
            _ n: Int, _ k: Int, panel: Int, isReadOnce: Bool, _ cpu: CPUDevice, _ body: (Right) -> Void
        ) {
            let panels = (n + panel - 1) / panel
            guard case .plain(_, let column) = layout, isPacked, column != 1 || !isReadOnce,
                panels * panel * k * 4 <= GEMM.sharedByteCount
            else { return body(self) }
            cpu.scratch.withTemporary(Float.self, panels * panel * k) { memory in
                pack(n, k, into: memory, cpu)
                body(Right(memory, .panels(CK_F32, size: panel * k)))
            }
        }

        /// Calls `body` with runs of panels: pointer, elements from row to row and from panel to panel, columns.
        ///
        /// - Parameter isReadOnce: by tasks of so few rows that packing would be their one reading.
        func forEachRun(
            _ columns: Range<Int>, _ ks: Range<Int>, panel: Int, isReadOnce: Bool, _ scratch: ScratchMemory,
            _ body: (UnsafeRawPointer, Int, Int, Range<Int>) -> Void
        ) {
            switch layout {
            case .panels(let format, let size):
                let at = columns.lowerBound / panel * size + ks.lowerBound * panel
                body(pointer + at * (format == CK_F32 ? 4 : 2), panel, size, columns)
            case .plain(let row, let column):
                let floats = pointer.assumingMemoryBound(to: Float.self) + ks.lowerBound * row
                // Rows of whole panels may be read in place, the rest is packed panel by panel.
                let inPlace = column == 1 && (isReadOnce || !isPacked) ? columns.count / panel * panel : 0
                let border = columns.lowerBound + inPlace
                if inPlace > 0 {
                    body(UnsafeRawPointer(floats + columns.lowerBound), row, panel, columns.lowerBound..<border)
                }
                if border == columns.upperBound { return }
                scratch.withTemporary(Float.self, panel * ks.count) { packed in
                    for j in stride(from: border, to: columns.upperBound, by: panel) {
                        let here = j..<min(columns.upperBound, j + panel)
                        ck_gemm_pack_b_f32(
                            floats + j * column, Int64(row), Int64(column), Int64(here.count), Int64(ks.count), 0,
                            packed)
                        body(UnsafeRawPointer(packed), panel, 0, here)
                    }
                }
            }
        }
    }

    /// C as tasks see it, with what is done to it: `C = activation(A B + beta C + bias)`. 16-bit results take no beta.
    struct Out: @unchecked Sendable {
        let pointer: UnsafeMutableRawPointer
        let dtype: DType
        let row: Int
        var beta: Float = 0
        var epilogue = ck_epilogue_t()

        init(_ pointer: UnsafeMutableRawPointer, _ dtype: DType = .f32, row: Int) {
            (self.pointer, self.dtype, self.row) = (pointer, dtype, row)
        }

        init(_ tensor: Tensor) {
            self.init(
                tensor.hostPointer(as: UInt8.self), tensor.dtype, row: tensor.strides[tensor.shape.count - 2])
        }

        /// Calls `body` with f32 memory for a part, elements from row to row, and whether to add to what is there.
        func withPart(
            _ rows: Range<Int>, _ columns: Range<Int>, _ scratch: ScratchMemory,
            _ body: (UnsafeMutablePointer<Float>, Int, Bool) -> Void
        ) {
            let target = pointer + (rows.lowerBound * row + columns.lowerBound) * dtype.blockByteCount
            if dtype == .f32 {
                let part = target.assumingMemoryBound(to: Float.self)
                if beta != 0, beta != 1 {
                    for r in 0..<rows.count { for j in 0..<columns.count { part[r &* row &+ j] *= beta } }
                }
                return body(part, row, beta != 0)
            }
            // Summed in f32 beside the result and narrowed once.
            let pitch = columns.count + 16
            scratch.withTemporary(Float.self, rows.count * pitch) { sums in
                body(sums, pitch, false)
                for r in 0..<rows.count {
                    narrow(sums + r * pitch, to: dtype, target + 2 * r * row, count: columns.count)
                }
            }
        }
    }

    /// The whole product, shared out over the threads.
    static func multiply(m: Int, n: Int, k: Int, _ a: Left, _ b: Right, _ c: Out, _ cpu: CPUDevice) {
        let blocking = Blocking.machine
        let panels = (n + blocking.columns - 1) / blocking.columns
        let tiling = Tiling(
            m: m, panels: panels, k: k, threads: cpu.threadCount, copiesA: a.isCopiedByTasks(m, k), blocking)
        func run(_ a: Left, _ b: Right) {
            cpu.run(tiling.count) { task in
                let (rows, range) = tiling[task]
                let columns = range.lowerBound * blocking.columns..<min(n, range.upperBound * blocking.columns)
                part(rows, columns, k, a, b, c, blocking, cpu.scratch)
            }
        }
        func runPacked(_ a: Left) {
            if tiling.rowTasks == 1 { return run(a, b) }
            let isReadOnce = blocking.isThin((m + tiling.rowTasks - 1) / tiling.rowTasks)
            b.packedOnce(n, k, panel: blocking.columns, isReadOnce: isReadOnce, cpu) { run(a, $0) }
        }
        if tiling.panelTasks == 1 { return runPacked(a) }
        a.copiedOnce(m, k, cpu, runPacked)
    }

    /// Of an operand that is copied as a whole, at most; of a larger one every task copies what it meets.
    fileprivate static let sharedByteCount = 32 << 20

    /// The whole product on this thread.
    static func multiplyAlone(
        m: Int, n: Int, k: Int, _ a: Left, _ b: Right, _ c: Out,
        next: (UnsafeRawBufferPointer, UnsafeRawBufferPointer)? = nil, _ scratch: ScratchMemory
    ) {
        part(0..<m, 0..<n, k, a, b, c, next: next, Blocking.machine, scratch)
    }

    /// One task's part of C, block after block of k, so that it stays in the task's cache. `columns` begin with a panel.
    private static func part(
        _ rows: Range<Int>, _ columns: Range<Int>, _ k: Int, _ a: Left, _ b: Right, _ c: Out,
        next: (UnsafeRawBufferPointer, UnsafeRawBufferPointer)? = nil, _ blocking: Blocking, _ scratch: ScratchMemory
    ) {
        // Of two strips the kernel makes blocks of k itself.
        let isThin = blocking.isThin(rows.count)
        let depth = isThin ? max(1, k) : blocking.depth
        c.withPart(rows, columns, scratch) { sums, pitch, adds in
            for k0 in stride(from: 0, to: max(1, k), by: depth) {
                let ks = k0..<min(k, k0 + depth)
                a.withBlock(rows, ks, scratch) { x, row in
                    b.forEachRun(columns, ks, panel: blocking.columns, isReadOnce: isThin, scratch) {
                        weights, bRow, bPanel, here in
                        var block = ck_gemm_block_t()
                        (block.m, block.n, block.k) = (Int64(rows.count), Int64(here.count), Int64(ks.count))
                        (block.a, block.a_row) = (x, Int64(row))
                        block.a_format = a.isDotted ? CK_BF16 : CK_F32
                        (block.b, block.b_row, block.b_panel) = (weights, Int64(bRow), Int64(bPanel))
                        if case .panels(let format, _) = b.layout { block.format = format }
                        (block.c, block.ldc) = (sums + here.lowerBound - columns.lowerBound, Int64(pitch))
                        block.accumulate = k0 > 0 || adds
                        if let next {
                            block.next = (next.0.baseAddress, next.1.baseAddress)
                            block.next_bytes = (Int64(next.0.count), Int64(next.1.count))
                        }
                        if ks.upperBound == k {
                            block.epilogue = c.epilogue
                            if let bias = c.epilogue.bias { block.epilogue.bias = bias + here.lowerBound }
                        }
                        ck_gemm_block(&block)
                    }
                }
            }
        }
    }
}
