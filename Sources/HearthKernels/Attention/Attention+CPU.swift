import CKernels
import HearthCompute

extension Attention {
    /// Keys of one task of a decode step: fixed, so that the sums of a sequence do not depend on what runs beside it.
    private static let keysPerTask = 512
    /// Pages of a paged cache hold a power of two of keys, no fewer than the widest vector of keys.
    static let leastPageKeys = 32

    /// What the tasks share: where operands lie and how many keys each sequence has.
    private struct Operands: @unchecked Sendable {
        let p: Problem
        let group: Int
        let q, k, v: UnsafeRawPointer
        let types: (q: DType, kv: DType)
        let batchStride: Int
        let o: UnsafeMutablePointer<Float>
        let lse: UnsafeMutablePointer<Float>?
        let counts: UnsafePointer<Int32>?
        let pages: UnsafePointer<Int32>?
        let pagesPerSequence, pageCount, pageKeys: Int
        let options: Options

        init(_ p: Problem, _ q: Tensor, _ k: Tensor, _ v: Tensor, _ options: Options, _ o: Tensor, _ lse: Tensor?) {
            (self.p, self.options, group, types) = (p, options, p.hq / p.hkv, (q.dtype, k.dtype))
            self.q = UnsafeRawPointer(q.hostPointer(as: UInt8.self))
            self.k = UnsafeRawPointer(k.hostPointer(as: UInt8.self))
            self.v = UnsafeRawPointer(v.hostPointer(as: UInt8.self))
            (self.o, self.lse) = (o.hostPointer(as: Float.self), lse?.hostPointer(as: Float.self))
            counts = options.keyCounts.map { UnsafePointer($0.hostPointer(as: Int32.self)) }
            pages = options.pages.map { UnsafePointer($0.hostPointer(as: Int32.self)) }
            pagesPerSequence = options.pages?.shape[1] ?? 0
            (pageCount, pageKeys) = (k.shape[0], k.shape[1])
            batchStride = pages == nil ? k.shape[1] * p.hkv * p.d : 0
        }

        func keys(of b: Int) -> Int { counts.map { min(max(0, Int($0[b])), p.tk) } ?? p.tk }

        /// Query heads `heads` of KV head `pair % Hkv` in sequence `pair / Hkv`.
        func block(_ pair: Int, _ headsRange: Range<Int>) -> ck_attention_block_t {
            let (b, h) = (pair / p.hkv, pair % p.hkv)
            let row = b * p.tq * p.hq + h * group + headsRange.lowerBound
            let at = types.kv.byteCount(of: b * batchStride + h * p.d)
            let keys = keys(of: b)
            var block = ck_attention_block_t()
            (block.keys, block.d, block.heads) = (Int64(keys), Int64(p.d), Int64(headsRange.count))
            (block.q, block.k, block.v) = (q + types.q.byteCount(of: row * p.d), k + at, v + at)
            (block.q_format, block.kv_format) = (types.q.plainFormat!, types.kv.plainFormat ?? CK_Q8)
            (block.q_t, block.q_h) = (Int64(p.hq * p.d), Int64(p.d))
            (block.k_row, block.v_row) = (Int64(p.hkv * p.d), Int64(p.hkv * p.d))
            (block.o, block.o_t, block.o_h) = (o + row * p.d, Int64(p.hq * p.d), Int64(p.d))
            (block.lse, block.lse_t, block.lse_h) = (lse.map { $0 + row }, Int64(p.hq), 1)
            (block.scale, block.softcap) = (options.scale ?? 1 / Float(p.d).squareRoot(), options.softcap ?? 0)
            (block.is_causal, block.window) = (p.isCausal, Int64(p.window ?? 0))
            block.offset = Int64(counts == nil ? p.offset : keys - p.tq)
            if let mask = options.mask {
                let heads = mask.shape[1]
                (block.mask_t, block.mask_h) = (Int64(mask.strides[2]), heads == 1 ? 0 : Int64(mask.strides[1]))
                let first = heads == 1 ? 0 : h * group + headsRange.lowerBound
                let at = (mask.shape[0] == 1 ? 0 : b) * mask.strides[0] + first * mask.strides[1]
                block.mask = UnsafeRawPointer(mask.hostPointer(as: UInt8.self)) + at * mask.dtype.blockByteCount
                block.mask_is_boolean = mask.dtype == .i8
            }
            if let pages {
                block.pages = pages + b * pagesPerSequence
                (block.page_count, block.page_shift) = (Int64(pageCount), Int32(pageKeys.trailingZeroBitCount))
            }
            return block
        }
    }

    /// Prefill: a task is a block of queries of the heads that share one KV head. Decode (Tq = 1): a task is a run of keys
    /// of some KV heads, all of them where there are keys enough; the runs are joined afterwards.
    static func runCPU(
        _ p: Problem, _ q: Tensor, _ k: Tensor, _ v: Tensor, _ options: Options, _ o: Tensor, _ lse: Tensor?,
        _ cpu: CPUDevice
    ) {
        let operands = Operands(p, q, k, v, options, o, lse)
        if p.tq == 1 { decode(operands, cpu) } else { prefill(operands, cpu) }
    }

    private static func prefill(_ operands: Operands, _ cpu: CPUDevice) {
        let (p, group) = (operands.p, operands.group)
        let rows = Int(ck_attention_block_rows())
        // More heads than a block has rows are taken in several goes.
        let headTasks = (group + rows - 1) / rows
        let heads = (group + headTasks - 1) / headTasks
        let pairs = p.b * p.hkv * headTasks
        // Full blocks where there is work enough for every thread, smaller ones where there is not.
        let most = max(1, rows / heads)
        let queryTasks = max((p.tq + most - 1) / most, min((p.tq + 31) / 32, (2 * cpu.threadCount + pairs - 1) / pairs))
        let queries = (p.tq + queryTasks - 1) / queryTasks
        let scratchCount = Int(ck_attention_scratch(Int64(p.d)))
        cpu.run(pairs * queryTasks) { task in
            // The last queries of a causal mask see the most keys: they start first.
            let (pair, t) = (task / queryTasks, (queryTasks - 1 - task % queryTasks) * queries)
            let first = pair % headTasks * heads
            var block = operands.block(pair / headTasks, first..<min(group, first + heads))
            cpu.scratch.withTemporary(Float.self, scratchCount) { scratch in
                ck_attention_block(&block, Int64(t), Int64(max(0, min(queries, p.tq - t))), scratch)
            }
        }
    }

    private static func decode(_ operands: Operands, _ cpu: CPUDevice) {
        let (p, group) = (operands.p, operands.group)
        /// A run of a sequence's keys, and how many runs that sequence has and come before its first.
        struct Run { let b, part, parts, before: Int }
        var runs: [Run] = []
        for b in 0..<p.b {
            let (parts, before) = (max(1, (operands.keys(of: b) + keysPerTask - 1) / keysPerTask), runs.count)
            for part in 0..<parts { runs.append(Run(b: b, part: part, parts: parts, before: before)) }
        }
        // KV heads of a task: all of them, whose rows lie together, or a share where there would be too few tasks.
        let shares = min(p.hkv, max(1, 2 * cpu.threadCount / runs.count))
        let all = p.hq * runs.count
        cpu.scratch.withTemporary(Float.self, all * (2 * p.d + 2)) { memory in
            nonisolated(unsafe) let (sums, states, queries) = (memory, memory + all * p.d, memory + all * (p.d + 2))
            /// The KV heads of a share of a run's sequence, and the rows of memory before theirs.
            @Sendable func share(_ s: Int, _ run: Run) -> (kvHeads: Range<Int>, rows: Int) {
                let heads = p.hkv * s / shares..<p.hkv * (s + 1) / shares
                let rows = run.before * p.hq + heads.lowerBound * group * run.parts
                return (run.b * p.hkv + heads.lowerBound..<run.b * p.hkv + heads.upperBound, rows)
            }
            cpu.run(shares * runs.count) { [runs] task in
                let run = runs[task / shares]
                let (kvHeads, before) = share(task % shares, run)
                var block = operands.block(kvHeads.lowerBound, 0..<group)
                let row = before + run.part * kvHeads.count * group
                ck_attention_decode(
                    &block, Int64(kvHeads.count), Int64(p.d), Int64(run.part * keysPerTask),
                    min(block.keys, Int64((run.part + 1) * keysPerTask)), queries + row * p.d, sums + row * p.d,
                    states + row * 2)
            }
            for run in runs where run.part == 0 {
                for s in 0..<shares {
                    let (kvHeads, before) = share(s, run)
                    var block = operands.block(kvHeads.lowerBound, 0..<group)
                    ck_attention_combine(
                        &block, Int64(kvHeads.count * group), Int64(run.parts), sums + before * p.d,
                        states + before * 2)
                }
            }
        }
    }
}
