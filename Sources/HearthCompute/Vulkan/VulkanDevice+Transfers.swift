import CVulkan

/// Bytes to and from the device, through pieces of host memory that it keeps: making one takes longer than most transfers.
extension VulkanDevice {
    private static let pieceByteCount = 8 << 20
    /// Past so many a transfer waits for one; threads that come at once may take more for a while.
    private static let mostKept = 4

    /// A piece of host memory, and the timeline's value from which on no copy uses it.
    struct Piece {
        let buffer: cvk_buffer
        var freeFrom: UInt64 = 0
    }

    /// Returns when `bytes` may change. Whatever is submitted afterwards finds them in `buffer`.
    func upload(_ bytes: UnsafeRawBufferPointer, to buffer: cvk_buffer, at offset: Int) throws(DeviceError) {
        if let mapped = buffer.mapped {
            (mapped + offset).copyMemory(from: bytes.baseAddress!, byteCount: bytes.count)
            return
        }
        for range in pieces(of: bytes.count) {
            let piece = try takePiece()
            piece.buffer.mapped.copyMemory(from: bytes.baseAddress! + range.lowerBound, byteCount: range.count)
            let (used, _) = try submit(piece) { recording in
                recording.copy(
                    from: piece.buffer.handle, 0, to: buffer.handle, offset + range.lowerBound, range.count)
            }
            giveBack(used)
        }
    }

    /// Returns when everything submitted before has run and `bytes` are here.
    func download(_ buffer: cvk_buffer, at offset: Int, into bytes: UnsafeMutableRawBufferPointer) throws(DeviceError) {
        if let mapped = buffer.mapped {
            try waitIdle()
            bytes.baseAddress!.copyMemory(from: mapped + offset, byteCount: bytes.count)
            return
        }
        // The host empties one piece while the device fills the next.
        var begun: [(piece: Piece, submission: VulkanSubmission, range: Range<Int>)] = []
        func finishFirst() throws(DeviceError) {
            let (piece, submission, range) = begun[0]
            try submission.wait()
            (bytes.baseAddress! + range.lowerBound).copyMemory(from: piece.buffer.mapped, byteCount: range.count)
            giveBack(begun.removeFirst().piece)
        }
        do throws(DeviceError) {
            for range in pieces(of: bytes.count) {
                if begun.count == 2 { try finishFirst() }
                let piece = try takePiece()
                let (used, submission) = try submit(piece) { recording in
                    recording.copy(
                        from: buffer.handle, offset + range.lowerBound, to: piece.buffer.handle, 0, range.count)
                }
                begun.append((used, submission, range))
            }
            while !begun.isEmpty { try finishFirst() }
        } catch {
            for (piece, _, _) in begun { giveBack(piece) }
            throw error
        }
    }

    private func pieces(of byteCount: Int) -> [Range<Int>] {
        stride(from: 0, to: byteCount, by: Self.pieceByteCount).map { $0..<min($0 + Self.pieceByteCount, byteCount) }
    }

    /// The piece with the value from which on it is free again. It is given back here where that fails.
    private func submit(
        _ piece: Piece, _ record: (VulkanRecording) -> Void
    ) throws(DeviceError) -> (Piece, VulkanSubmission) {
        do throws(DeviceError) {
            let recording = try beginRecording()
            record(recording)
            let submission = try recording.submit()
            return (Piece(buffer: piece.buffer, freeFrom: submission.value), submission)
        } catch {
            giveBack(piece)
            throw error
        }
    }

    /// A piece that no copy uses: one that is kept, a new one, or when there are enough the one that is free first.
    private func takePiece() throws(DeviceError) -> Piece {
        let done = completedValue
        let kept = staging.withLock { pieces -> Piece? in
            guard let first = pieces.indices.min(by: { pieces[$0].freeFrom < pieces[$1].freeFrom }),
                pieces[first].freeFrom <= done || pieces.count >= Self.mostKept
            else { return nil }
            return pieces.remove(at: first)
        }
        guard let kept else { return Piece(buffer: try allocate(Self.pieceByteCount, CVK_READBACK)) }
        if kept.freeFrom <= done { return kept }
        do throws(DeviceError) { try wait(for: kept.freeFrom) } catch {
            giveBack(kept)
            throw error
        }
        return kept
    }

    /// A piece may go back while its last copy runs, but not before the host has emptied it.
    private func giveBack(_ piece: Piece) {
        let isSurplus = staging.withLock { pieces in
            if pieces.count >= Self.mostKept { return true }
            pieces.append(piece)
            return false
        }
        if isSurplus { free(piece.buffer) }
    }
}
