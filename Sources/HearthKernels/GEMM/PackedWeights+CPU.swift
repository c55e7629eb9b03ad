import CKernels
import HearthCompute

extension PackedWeights {
    static func pack(_ weights: Tensor, _ activations: Activations, _ cpu: CPUDevice) throws(DeviceError) -> Storage {
        let (n, k, dtype) = (weights.shape[0], weights.shape[1], weights.dtype)
        if n == 0 || k == 0 { return .tensor(weights) }
        let device = weights.buffer.device
        nonisolated(unsafe) let source = UnsafeRawPointer(weights.hostPointer(as: UInt8.self))
        if let format = dtype.quantFormat {
            if activations == .f32 { return .tensor(weights) }
            let columns = Int(ck_quant_panel_columns())
            let (panels, panelBytes) = ((n + columns - 1) / columns, Int(ck_quant_panel_bytes(format, Int64(k))))
            let buffer = try device.makeBuffer(byteCount: panels * panelBytes)
            nonisolated(unsafe) let out = buffer.hostPointer(as: UInt8.self)
            let rowBytes = dtype.byteCount(of: k)
            cpu.run(panels) { panel in
                ck_quant_pack(
                    format, source.assumingMemoryBound(to: UInt8.self) + panel * columns * rowBytes,
                    Int64(min(columns, n - panel * columns)), Int64(k), out + panel * panelBytes)
            }
            return .quantised(buffer)
        }
        let columns = Int(ck_gemm_panel_columns())
        if dtype == .i8 {
            let panels = (n + columns - 1) / columns
            let buffer = try device.makeBuffer(byteCount: panels * columns * (k + 3) / 4 * 4)
            ck_gemm_i8_pack_b(
                source.assumingMemoryBound(to: Int8.self), Int64(n), Int64(k), buffer.hostPointer(as: UInt8.self))
            return .bytes(buffer)
        }
        let (panels, elementBytes) = ((n + columns - 1) / columns, dtype.blockByteCount)
        let buffer = try device.makeBuffer(byteCount: panels * columns * k * elementBytes)
        nonisolated(unsafe) let out = UnsafeMutableRawPointer(buffer.hostPointer(as: UInt8.self))
        cpu.run(panels) { panel in
            let from = source + panel * columns * k * elementBytes
            let to = out + panel * columns * k * elementBytes
            let count = Int64(min(columns, n - panel * columns))
            if dtype == .f32 {
                ck_gemm_pack_b_f32(
                    from.assumingMemoryBound(to: Float.self), 1, Int64(k), count, Int64(k), 0,
                    to.assumingMemoryBound(to: Float.self))
            } else {
                ck_gemm_pack_b_16(
                    from.assumingMemoryBound(to: UInt16.self), 1, Int64(k), count, Int64(k), 0,
                    to.assumingMemoryBound(to: UInt16.self))
            }
        }
        return .panels(buffer)
    }
}

extension GEMM {
    static func runPacked(_ p: Problem, _ a: Tensor, _ storage: PackedWeights.Storage, _ c: Tensor, _ cpu: CPUDevice) {
        switch storage {
        case .tensor: preconditionFailure("launched as a tensor")
        case .panels(let buffer): runPanels(p, a, buffer.hostPointer(as: UInt8.self), c, cpu)
        case .bytes(let buffer): runBytes(p, a, buffer.hostPointer(as: UInt8.self), c, cpu)
        case .quantised(let buffer):
            runQuantised(
                p, Operand(a, 0, 1), buffer.hostPointer(as: UInt8.self), c.hostPointer(as: Float.self), cpu)
        }
    }

    private static func runPanels(
        _ p: Problem, _ a: Tensor, _ weights: UnsafeMutableRawPointer, _ c: Tensor, _ cpu: CPUDevice
    ) {
        nonisolated(unsafe) let w = weights
        nonisolated(unsafe) let x = UnsafeRawPointer(a.hostPointer(as: UInt8.self))
        nonisolated(unsafe) let out = UnsafeMutableRawPointer(c.hostPointer(as: UInt8.self))
        let aRow = a.strides[0]
        let blocking = Blocking.machine
        let columns = blocking.columns
        let panels = (p.n + columns - 1) / columns
        let panelBytes = columns * p.k * p.weights.blockByteCount
        // One strip of rows streams over the panels; several go over a block of each while it is in the cache.
        let depth =
            p.m <= blocking.rows ? p.k : p.m <= 2 * blocking.rows ? max(64, blocking.depth / 2) : blocking.depth
        let tiling = Tiling(m: p.m, panels: panels, k: p.k, threads: cpu.threadCount, blocking)
        cpu.run(tiling.count) { task in
            let (rows, range) = tiling[task]
            let first = range.lowerBound * columns
            let width = min(p.n, range.upperBound * columns) - first
            var block = ck_gemm_block_t()
            block.n = Int64(width)
            block.format = p.weights.plainFormat!
            (block.b_row, block.b_panel) = (Int64(columns), Int64(columns * p.k))
            let target = out + (rows.lowerBound * p.n + first) * p.outputs.blockByteCount
            let isWide = p.outputs == .f32
            // 16-bit results are summed in f32 beside the block and narrowed once.
            cpu.scratch.withTemporary(Float.self, isWide ? 0 : rows.count * width) { sums in
                block.c = isWide ? target.assumingMemoryBound(to: Float.self) : sums
                block.ldc = Int64(isWide ? p.n : width)
                for k0 in stride(from: 0, to: p.k, by: depth) {
                    let k = min(depth, p.k - k0)
                    block.b = UnsafeRawPointer(
                        w + range.lowerBound * panelBytes + k0 * columns * p.weights.blockByteCount)
                    block.accumulate = k0 > 0
                    let from = x + (rows.lowerBound * aRow + k0) * p.activations.blockByteCount
                    withFloats(p.activations, from, rows.count, k, aRow, cpu.scratch) { at in
                        runBlock(&block, rows.count, k, at, cpu.scratch)
                    }
                }
                if !isWide {
                    for r in 0..<rows.count {
                        let to = target + r * p.n * 2
                        narrow(p.outputs, sums + r * width, to.assumingMemoryBound(to: UInt16.self), width)
                    }
                }
            }
        }
    }

    /// Rows of `a` as f32: in place, or widened into scratch memory.
    private static func withFloats(
        _ dtype: DType, _ from: UnsafeRawPointer, _ rows: Int, _ k: Int, _ row: Int, _ scratch: ScratchMemory,
        _ body: (Operand) -> Void
    ) {
        if dtype == .f32 {
            let floats = UnsafeMutablePointer(mutating: from.assumingMemoryBound(to: Float.self))
            return body(Operand(floats, row, 1))
        }
        scratch.withTemporary(Float.self, rows * k) { wide in
            for r in 0..<rows {
                widen(dtype, from + 2 * r * row, UnsafeMutableBufferPointer(start: wide + r * k, count: k))
            }
            body(Operand(wide, k, 1))
        }
    }

    private static func narrow(
        _ dtype: DType, _ from: UnsafePointer<Float>, _ to: UnsafeMutablePointer<UInt16>, _ count: Int
    ) {
        dtype == .f16 ? ck_narrow_f16(from, to, Int64(count)) : ck_narrow_bf16(from, to, Int64(count))
    }

    private static func runBytes(
        _ p: Problem, _ a: Tensor, _ weights: UnsafeMutablePointer<UInt8>, _ c: Tensor, _ cpu: CPUDevice
    ) {
        nonisolated(unsafe) let (w, x) = (weights, a.hostPointer(as: Int8.self))
        nonisolated(unsafe) let out = c.hostPointer(as: Int32.self)
        let aRow = a.strides[0]
        let blocking = Blocking.machine
        let (columns, fours) = (blocking.columns, (p.k + 3) / 4)
        let panels = (p.n + columns - 1) / columns
        let tiling = Tiling(m: p.m, panels: panels, k: p.k, threads: cpu.threadCount, blocking)
        cpu.run(tiling.count) { task in
            let (rows, range) = tiling[task]
            let first = range.lowerBound * columns
            cpu.scratch.withTemporary(Int32.self, rows.count * (1 + fours)) { scratch in
                var block = ck_gemm_i8_block_t()
                block.m = Int64(rows.count)
                (block.n, block.k) = (Int64(min(p.n, range.upperBound * columns) - first), Int64(p.k))
                (block.a, block.a_row) = (UnsafePointer(x + rows.lowerBound * aRow), Int64(aRow))
                block.b = UnsafePointer(w + first * fours * 4)
                (block.c, block.ldc) = (out + rows.lowerBound * p.n + first, Int64(p.n))
                block.scratch = scratch
                ck_gemm_i8_block(&block)
            }
        }
    }

    /// Rows of one task and elements of one pass: activations in the second-level cache, a panel's pass in the first.
    private static let (quantRows, quantDepth) = (96, 1024)

    private static func runQuantised(
        _ p: Problem, _ a: Operand, _ weights: UnsafeMutablePointer<UInt8>, _ c: UnsafeMutablePointer<Float>,
        _ cpu: CPUDevice
    ) {
        nonisolated(unsafe) let (w, out) = (weights, c)
        let format = p.weights.quantFormat!
        let layout = ck_quant_layout(format)
        let columns = Int(ck_quant_panel_columns())
        let panels = (p.n + columns - 1) / columns
        let panelBytes = Int(ck_quant_panel_bytes(format, Int64(p.k)))
        let blocks = p.k / 32
        // A line more than k, so that rows fall into different cache sets.
        let pitch = p.k + 64
        cpu.scratch.withTemporary(UInt8.self, p.m * (pitch + 12 * blocks)) { scratch in
            nonisolated(unsafe) let quants = UnsafeMutableRawPointer(scratch).assumingMemoryBound(to: Int8.self)
            let afterQuants = UnsafeMutableRawPointer(scratch + p.m * pitch)
            nonisolated(unsafe) let scales = afterQuants.assumingMemoryBound(to: Float.self)
            nonisolated(unsafe) let sums = (afterQuants + 4 * p.m * blocks).assumingMemoryBound(to: Int32.self)
            cpu.parallel(p.m, grain: max(1, 65536 / p.k)) { rows in
                for r in rows {
                    ck_quantise_row(
                        a.pointer + r * a.row, Int64(p.k), quants + r * pitch, scales + r * blocks,
                        sums + r * 2 * blocks)
                }
            }
            let rowTasks = (p.m + quantRows - 1) / quantRows
            let panelTasks = min(panels, max(4 * cpu.threadCount, panels / 8))
            cpu.run(rowTasks * panelTasks) { task in
                let (r, t) = (task / panelTasks, task % panelTasks)
                let rows = p.m * r / rowTasks..<p.m * (r + 1) / rowTasks
                let range = panels * t / panelTasks..<panels * (t + 1) / panelTasks
                let first = range.lowerBound * columns
                var block = ck_quant_block_t()
                (block.m, block.n) = (Int64(rows.count), Int64(min(p.n, range.upperBound * columns) - first))
                (block.x_row, block.x_scale_row, block.layout) = (Int64(pitch), Int64(blocks), layout)
                block.w_panel = Int64(panelBytes)
                (block.c, block.ldc) = (out + rows.lowerBound * p.n + first, Int64(p.n))
                let depth = rows.count > 1 ? quantDepth : p.k
                for k0 in stride(from: 0, to: p.k, by: depth) {
                    block.k = Int64(min(depth, p.k - k0))
                    block.x = UnsafePointer(quants + rows.lowerBound * pitch + k0)
                    block.x_scale = UnsafePointer(scales + rows.lowerBound * blocks + k0 / 32)
                    block.x_sum = UnsafePointer(sums + rows.lowerBound * 2 * blocks + k0 / 16)
                    block.w = UnsafePointer(w + range.lowerBound * panelBytes + panelBytes * k0 / p.k)
                    block.accumulate = k0 > 0
                    ck_quant_block(&block)
                }
            }
        }
    }
}
