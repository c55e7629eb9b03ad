import CKernels
import Foundation
import HearthCompute
import HearthRoofline

extension PackedWeights {
    static func pack(_ weights: Tensor, _ activations: Activations, _ cpu: CPUDevice) throws(DeviceError) -> Storage {
        let (n, k, dtype) = (weights.shape[0], weights.shape[1], weights.dtype)
        if n == 0 || k == 0 { return .tensor(weights, mayRound: false) }
        if dtype.isQuantised, activations != .int8 { return .tensor(weights, mayRound: false) }
        let buffer = try weights.buffer.device.makeBuffer(byteCount: packedByteCount(n, k, dtype))
        nonisolated(unsafe) let out = buffer.hostPointer(as: UInt8.self)
        nonisolated(unsafe) let source = UnsafeRawPointer(weights.hostPointer(as: UInt8.self))
        if let format = dtype.quantFormat {
            let columns = Int(ck_quant_panel_columns())
            let panels = (n + columns - 1) / columns
            let (panelBytes, rowBytes) = (buffer.byteCount / panels, dtype.byteCount(of: k))
            cpu.run(panels) { panel in
                ck_quant_pack(
                    format, source.assumingMemoryBound(to: UInt8.self) + panel * columns * rowBytes,
                    Int64(min(columns, n - panel * columns)), Int64(k), out + panel * panelBytes)
            }
        } else if dtype == .i8 {
            ck_gemm_i8_pack_b(source.assumingMemoryBound(to: Int8.self), Int64(n), Int64(k), out)
        } else {
            packPlain(source, n, k, dtype, into: UnsafeMutableRawPointer(out), cpu)
        }
        return storage(buffer, dtype)
    }

    private static func packPlain(
        _ rows: UnsafeRawPointer, _ n: Int, _ k: Int, _ dtype: DType, into packed: UnsafeMutableRawPointer,
        _ cpu: CPUDevice
    ) {
        if dtype == .f32 {
            return GEMM.Right(rows, .plain(row: 1, column: k))
                .pack(n, k, into: packed.assumingMemoryBound(to: Float.self), cpu)
        }
        nonisolated(unsafe) let (source, out) = (rows, packed)
        let (columns, elementBytes) = (Int(ck_gemm_panel_columns()), dtype.blockByteCount)
        let size = GEMM.panelSize(dtype, k: k)
        cpu.run((n + columns - 1) / columns) { panel in
            let from = source + panel * columns * k * elementBytes
            let to = out + panel * size * elementBytes
            let count = Int64(min(columns, n - panel * columns))
            let pack = dtype == .f16 ? ck_gemm_pack_b_f16 : ck_gemm_pack_b_bf16
            pack(
                from.assumingMemoryBound(to: UInt16.self), 1, Int64(k), count, Int64(k), 0,
                to.assumingMemoryBound(to: UInt16.self))
        }
    }

    private static func storage(_ buffer: DeviceBuffer, _ dtype: DType) -> Storage {
        dtype.isQuantised ? .quantised(buffer) : dtype == .i8 ? .bytes(buffer) : .panels(buffer)
    }

    private static func packedByteCount(_ n: Int, _ k: Int, _ dtype: DType) -> Int {
        if let format = dtype.quantFormat {
            let columns = Int(ck_quant_panel_columns())
            return (n + columns - 1) / columns * Int(ck_quant_panel_bytes(format, Int64(k)))
        }
        let columns = Int(ck_gemm_panel_columns())
        let panels = (n + columns - 1) / columns
        return dtype == .i8
            ? panels * columns * (k + 3) / 4 * 4 : panels * GEMM.panelSize(dtype, k: k) * dtype.blockByteCount
    }
}

extension PackedWeights {
    // MARK: Kept between runs

    /// What the packed bytes depend on besides the weights. Raise the number when a layout changes.
    package static var layout: String {
        "layout 1, \(String(cString: ck_level_name())), \(ck_gemm_panel_columns()) and \(ck_quant_panel_columns()) columns"
    }

    /// The packed copy; nil where products read the tensor.
    package var bytes: UnsafeRawBufferPointer? {
        switch storage {
        case .tensor: nil
        case .panels(let buffer), .bytes(let buffer), .quantised(let buffer):
            UnsafeRawBufferPointer(start: buffer.hostPointer(as: UInt8.self), count: buffer.byteCount)
        }
    }

    /// Finds damage, not malice.
    package static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        ck_checksum(bytes.baseAddress, Int64(bytes.count))
    }

    /// What `init(_:activations:)` would make of `weights`, from the bytes it once made; nil when these cannot be they.
    ///
    /// - Parameter owner: keeps `bytes` in memory.
    package init?(_ weights: Tensor, packed bytes: UnsafeRawBufferPointer, owner: any Sendable) {
        (n, k, dtype) = (weights.shape[0], weights.shape[1], weights.dtype)
        guard case .cpu = weights.buffer.device.backend, n > 0, k > 0,
            bytes.count == Self.packedByteCount(n, k, dtype)
        else { return nil }
        storage = Self.storage(DeviceBuffer(device: weights.buffer.device, borrowing: bytes, owner: owner), dtype)
    }
}

extension GEMM {
    /// Elements of a packed panel of plain weights: bf16 lies in pairs of rows.
    static func panelSize(_ dtype: DType, k: Int) -> Int {
        Blocking.machine.columns * (dtype == .bf16 ? (k + 1) / 2 * 2 : k)
    }

    /// What packed weights are multiplied with on this machine.
    static func arithmetic(_ p: Problem) -> Arithmetic {
        if p.weights.isQuantised || p.weights == .i8 { return .int8 }
        return p.weights == .bf16 && p.activations == .bf16 && GEMMChoice.dotsBF16 ? .bf16 : .f32
    }

    static func runPacked(
        _ p: Problem, _ a: Tensor, _ storage: PackedWeights.Storage, _ c: Tensor, _ options: Options, _ cpu: CPUDevice
    ) {
        switch storage {
        case .tensor: preconditionFailure("launched as a tensor")
        case .panels(let buffer):
            let weights = UnsafeRawPointer(buffer.hostPointer(as: UInt8.self))
            var left = Left(a)
            left.scale = options.alpha
            left.isDotted = arithmetic(p) == .bf16
            let panels = Right.Layout.panels(p.weights.plainFormat!, size: panelSize(p.weights, k: p.k))
            multiply(m: p.m, n: p.n, k: p.k, left, Right(weights, panels), Out(c, options), cpu)
        case .bytes(let buffer): runBytes(p, a, buffer.hostPointer(as: UInt8.self), c, cpu)
        case .quantised(let buffer): runQuantised(p, a, buffer.hostPointer(as: UInt8.self), Out(c, options), cpu)
        }
    }

    private static func runBytes(
        _ p: Problem, _ a: Tensor, _ weights: UnsafeMutablePointer<UInt8>, _ c: Tensor, _ cpu: CPUDevice
    ) {
        nonisolated(unsafe) let (w, x) = (weights, a.hostPointer(as: Int8.self))
        nonisolated(unsafe) let out = c.hostPointer(as: Int32.self)
        let aRow = a.strides[0]
        let blocking = Blocking.machine
        let (columns, whole) = (blocking.columns, (p.k + 3) / 4 * 4)
        // Rows are read in fours where they lie, unless they end between or lie whole pages apart.
        let copies = whole != p.k || aRow % 4096 == 0 && p.m > 1
        let pitch = copies ? whole + 64 : aRow
        let panels = (p.n + columns - 1) / columns
        let tiling = Tiling(
            m: p.m, panels: panels, k: p.k, threads: cpu.threadCount, copiesA: copies, blocking)
        cpu.run(tiling.count) { task in
            let (rows, range) = tiling[task]
            let first = range.lowerBound * columns
            cpu.scratch.withTemporary(Int32.self, rows.count * (copies ? 1 + pitch / 4 : 1)) { scratch in
                var block = ck_gemm_i8_block_t()
                block.m = Int64(rows.count)
                (block.n, block.k) = (Int64(min(p.n, range.upperBound * columns) - first), Int64(p.k))
                (block.a, block.a_row) = (UnsafePointer(x + rows.lowerBound * aRow), Int64(pitch))
                if copies {
                    let copy = UnsafeMutableRawPointer(scratch + rows.count)
                    memset(copy, 0, rows.count * pitch)
                    for r in rows { memcpy(copy + (r - rows.lowerBound) * pitch, x + r * aRow, p.k) }
                    block.a = UnsafePointer(copy.assumingMemoryBound(to: Int8.self))
                }
                block.b = UnsafePointer(w + first * whole)
                (block.c, block.ldc) = (out + rows.lowerBound * p.n + first, Int64(p.n))
                block.scratch = scratch
                ck_gemm_i8_block(&block)
            }
        }
    }

    /// Rows of one task and elements of one pass: activations in the second-level cache, a panel's pass in the first.
    private static let (quantRows, quantDepth) = (96, 1024)

    /// Activations rounded for weights of one layout: rows of quants and of what belongs to them, in borrowed memory.
    private struct QuantisedRows: @unchecked Sendable {
        let layout: ck_quant_layout_t
        let k, pitch, blocks, subs: Int
        let quants: UnsafeMutablePointer<Int8>
        let scales, downs: UnsafeMutablePointer<Float>
        let starts: UnsafeMutablePointer<Int32>

        static func byteCount(_ m: Int, _ k: Int, _ layout: ck_quant_layout_t) -> Int {
            m * (k + 64 + 4 * (k / 32) + 8 * (k / Int(layout.sub)))
        }

        init(_ memory: UnsafeMutablePointer<UInt8>, m: Int, k: Int, _ layout: ck_quant_layout_t) {
            (self.layout, self.k) = (layout, k)
            // A line more than k, so that rows fall into different cache sets.
            (pitch, blocks, subs) = (k + 64, k / 32, k / Int(layout.sub))
            let base = UnsafeMutableRawPointer(memory)
            quants = base.assumingMemoryBound(to: Int8.self)
            scales = (base + m * pitch).assumingMemoryBound(to: Float.self)
            downs = scales + m * blocks
            starts = UnsafeMutableRawPointer(downs + m * subs).assumingMemoryBound(to: Int32.self)
        }

        func fill(_ r: Int, from x: UnsafePointer<Float>) {
            var layout = layout
            ck_quantise_row(
                &layout, x, Int64(k), quants + r * pitch, scales + r * blocks, starts + r * subs, downs + r * subs)
        }

        /// Sets what a block needs of rows from `r` on and elements from `k0` on.
        func place(_ r: Int, _ k0: Int, _ block: inout ck_quant_block_t) {
            block.layout = layout
            (block.x, block.x_row) = (UnsafePointer(quants + r * pitch + k0), Int64(pitch))
            (block.x_scale, block.x_scale_row) = (UnsafePointer(scales + r * blocks + k0 / 32), Int64(blocks))
            let sub = r * subs + k0 / Int(layout.sub)
            (block.x_start, block.x_down, block.x_sub_row) = (
                UnsafePointer(starts + sub), UnsafePointer(downs + sub), Int64(subs)
            )
        }
    }

    private static func runQuantised(
        _ p: Problem, _ a: Tensor, _ weights: UnsafeMutablePointer<UInt8>, _ c: Out, _ cpu: CPUDevice
    ) {
        nonisolated(unsafe) let w = weights
        nonisolated(unsafe) let x = a.hostPointer(as: Float.self)
        nonisolated(unsafe) let out = c.pointer.assumingMemoryBound(to: Float.self)
        let aRow = a.strides[0]
        let format = p.weights.quantFormat!
        let layout = ck_quant_layout(format)
        let columns = Int(ck_quant_panel_columns())
        let panels = (p.n + columns - 1) / columns
        let panelBytes = Int(ck_quant_panel_bytes(format, Int64(p.k)))
        cpu.scratch.withTemporary(UInt8.self, QuantisedRows.byteCount(p.m, p.k, layout)) { scratch in
            let rounded = QuantisedRows(scratch, m: p.m, k: p.k, layout)
            cpu.parallel(p.m, grain: max(1, 65536 / p.k)) { rows in
                for r in rows { rounded.fill(r, from: x + r * aRow) }
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
                block.w_panel = Int64(panelBytes)
                (block.c, block.ldc) = (out + rows.lowerBound * p.n + first, Int64(p.n))
                let depth = rows.count > 1 ? quantDepth : p.k
                for k0 in stride(from: 0, to: p.k, by: depth) {
                    block.k = Int64(min(depth, p.k - k0))
                    rounded.place(rows.lowerBound, k0, &block)
                    block.w = UnsafePointer(w + range.lowerBound * panelBytes + panelBytes * k0 / p.k)
                    block.accumulate = k0 > 0
                    ck_quant_block(&block)
                }
                var epilogue = c.epilogue
                if let bias = epilogue.bias { epilogue.bias = bias + first }
                ck_epilogue(&epilogue, block.m, block.n, block.c, block.ldc)
            }
        }
    }
}
