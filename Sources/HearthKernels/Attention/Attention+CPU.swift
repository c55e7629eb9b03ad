import CKernels
import HearthCompute

extension Attention {
    /// Keys of one task of a decode step: fixed, so that the sums of a sequence do not depend on what runs beside it.
    private static let keysPerTask = 512

    /// All sequences at once, or one after the other where each has its own number of keys.
    static func runEachCPU(
        _ p: Problem, _ q: Tensor, _ k: Tensor, _ v: Tensor, _ options: Options, _ o: Tensor, _ lse: Tensor?,
        _ cpu: CPUDevice
    ) {
        guard let counts = options.keyCounts?.hostPointer(as: Int32.self) else {
            return runCPU(p, q, k, v, options, o, lse, cpu)
        }
        for b in 0..<p.b {
            let one = b..<b + 1
            let tk = min(max(0, Int(counts[b])), p.tk)
            runCPU(
                p.with(b: 1, tk: tk, offset: tk - p.tq), q.rows(one), k.rows(one), v.rows(one), options.ofSequence(b),
                o.rows(one), lse?.rows(one), cpu)
        }
    }

    /// Prefill: a task is a block of queries of the heads that share one KV head. Decode (Tq = 1): a task is a run of keys
    /// of some KV heads, all of them where there are keys enough; the runs are joined afterwards.
    static func runCPU(
        _ p: Problem, _ q: Tensor, _ k: Tensor, _ v: Tensor, _ options: Options, _ o: Tensor, _ lse: Tensor?,
        _ cpu: CPUDevice
    ) {
        let group = p.hq / p.hkv
        let batchStride = k.shape[1] * p.hkv * p.d
        nonisolated(unsafe) let (qs, ks, vs) = (
            UnsafeRawPointer(q.hostPointer(as: UInt8.self)), UnsafeRawPointer(k.hostPointer(as: UInt8.self)),
            UnsafeRawPointer(v.hostPointer(as: UInt8.self))
        )
        let (sizeQ, sizeKV) = (q.dtype.blockByteCount, k.dtype.blockByteCount)
        let (formatQ, formatKV) = (q.dtype.plainFormat!, k.dtype.plainFormat!)
        nonisolated(unsafe) let (os, ls) = (o.hostPointer(as: Float.self), lse?.hostPointer(as: Float.self))
        /// Query heads `heads` of KV head `pair % Hkv` in sequence `pair / Hkv`.
        @Sendable func block(_ pair: Int, _ headsRange: Range<Int>) -> ck_attention_block_t {
            let (b, h) = (pair / p.hkv, pair % p.hkv)
            let row = b * p.tq * p.hq + h * group + headsRange.lowerBound
            let at = b * batchStride + h * p.d
            var block = ck_attention_block_t()
            (block.keys, block.d, block.heads) = (Int64(p.tk), Int64(p.d), Int64(headsRange.count))
            (block.q, block.k, block.v) = (qs + row * p.d * sizeQ, ks + at * sizeKV, vs + at * sizeKV)
            (block.q_format, block.kv_format) = (formatQ, formatKV)
            (block.q_t, block.q_h) = (Int64(p.hq * p.d), Int64(p.d))
            (block.k_row, block.v_row) = (Int64(p.hkv * p.d), Int64(p.hkv * p.d))
            (block.o, block.o_t, block.o_h) = (os + row * p.d, Int64(p.hq * p.d), Int64(p.d))
            (block.lse, block.lse_t, block.lse_h) = (ls.map { $0 + row }, Int64(p.hq), 1)
            (block.scale, block.softcap) = (options.scale ?? 1 / Float(p.d).squareRoot(), options.softcap ?? 0)
            (block.is_causal, block.offset, block.window) = (p.isCausal, Int64(p.offset), Int64(p.window ?? 0))
            if let mask = options.mask {
                let heads = mask.shape[1]
                (block.mask_t, block.mask_h) = (Int64(mask.strides[2]), heads == 1 ? 0 : Int64(mask.strides[1]))
                let first = heads == 1 ? 0 : h * group + headsRange.lowerBound
                let at = (mask.shape[0] == 1 ? 0 : b) * mask.strides[0] + first * mask.strides[1]
                block.mask = UnsafeRawPointer(mask.hostPointer(as: UInt8.self)) + at * mask.dtype.blockByteCount
                block.mask_is_boolean = mask.dtype == .i8
            }
            return block
        }
        if p.tq == 1 {
            decode(p, group, cpu) { block($0, 0..<group) }
        } else {
            prefill(p, group, cpu, block)
        }
    }

    private static func prefill(
        _ p: Problem, _ group: Int, _ cpu: CPUDevice, _ block: @Sendable (Int, Range<Int>) -> ck_attention_block_t
    ) {
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
            var block = block(pair / headTasks, first..<min(group, first + heads))
            cpu.scratch.withTemporary(Float.self, scratchCount) { scratch in
                ck_attention_block(&block, Int64(t), Int64(max(0, min(queries, p.tq - t))), scratch)
            }
        }
    }

    private static func decode(
        _ p: Problem, _ group: Int, _ cpu: CPUDevice, _ block: @Sendable (Int) -> ck_attention_block_t
    ) {
        let parts = max(1, (p.tk + keysPerTask - 1) / keysPerTask)
        // KV heads of a task: all of them, whose rows lie together, or a share where there would be too few tasks.
        let shares = min(p.hkv, max(1, 2 * cpu.threadCount / (p.b * parts)))
        let all = p.b * p.hq * parts
        cpu.scratch.withTemporary(Float.self, all * (2 * p.d + 2)) { memory in
            nonisolated(unsafe) let (sums, states, queries) = (memory, memory + all * p.d, memory + all * (p.d + 2))
            /// The KV heads of share `index % shares` in sequence `index / shares`, and the rows of memory before theirs.
            @Sendable func share(_ index: Int) -> (kvHeads: Range<Int>, rows: Int) {
                let (b, s) = (index / shares, index % shares)
                let kvHeads = b * p.hkv + p.hkv * s / shares..<b * p.hkv + p.hkv * (s + 1) / shares
                return (kvHeads, kvHeads.lowerBound * group * parts)
            }
            cpu.run(p.b * shares * parts) { task in
                let (kvHeads, before) = share(task / parts)
                let part = task % parts
                var block = block(kvHeads.lowerBound)
                let row = before + part * kvHeads.count * group
                ck_attention_decode(
                    &block, Int64(kvHeads.count), Int64(p.d), Int64(part * keysPerTask),
                    Int64(min(p.tk, (part + 1) * keysPerTask)), queries + row * p.d, sums + row * p.d,
                    states + row * 2)
            }
            for index in 0..<p.b * shares {
                let (kvHeads, before) = share(index)
                var block = block(kvHeads.lowerBound)
                ck_attention_combine(
                    &block, Int64(kvHeads.count * group), Int64(parts), sums + before * p.d, states + before * 2)
            }
        }
    }
}
