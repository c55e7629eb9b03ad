import CVulkan

/// Bytes to and from the device, through pieces of host memory that it keeps: making one takes longer than most transfers.
extension VulkanDevice {
    /// Two pieces are in use at a time: the host fills or empties one while the device copies the other.
    private static let pieceByteCount = 8 << 20
    private static let mostKept = 4

    func upload(_ bytes: UnsafeRawBufferPointer, to buffer: cvk_buffer, at offset: Int) throws(DeviceError) {
        if let mapped = buffer.mapped {
            (mapped + offset).copyMemory(from: bytes.baseAddress!, byteCount: bytes.count)
            return
        }
        try transfer(bytes.count) { (piece, range) throws(DeviceError) in
            piece.mapped.copyMemory(from: bytes.baseAddress! + range.lowerBound, byteCount: range.count)
            return try copy(from: piece, 0, to: buffer, offset + range.lowerBound, range.count)
        } finish: { _, _ in
        }
    }

    func download(_ buffer: cvk_buffer, at offset: Int, into bytes: UnsafeMutableRawBufferPointer) throws(DeviceError) {
        if let mapped = buffer.mapped {
            try waitIdle()
            bytes.baseAddress!.copyMemory(from: mapped + offset, byteCount: bytes.count)
            return
        }
        try transfer(bytes.count) { (piece, range) throws(DeviceError) in
            try copy(from: buffer, offset + range.lowerBound, to: piece, 0, range.count)
        } finish: { piece, range in
            (bytes.baseAddress! + range.lowerBound).copyMemory(from: piece.mapped, byteCount: range.count)
        }
    }

    /// `begin`s the copy of one range after the other through pieces in turn and `finish`es each when the device is past it.
    private func transfer(
        _ byteCount: Int, begin: (cvk_buffer, Range<Int>) throws(DeviceError) -> VulkanSubmission,
        finish: (cvk_buffer, Range<Int>) -> Void
    ) throws(DeviceError) {
        let size = Self.pieceByteCount
        let pieces = try takePieces(byteCount > size ? 2 : 1)
        var begun: [(submission: VulkanSubmission, piece: cvk_buffer, range: Range<Int>)] = []
        func finishFirst() throws(DeviceError) {
            let (submission, piece, range) = begun[0]
            try submission.wait()
            begun.removeFirst()
            finish(piece, range)
        }
        do throws(DeviceError) {
            for (turn, start) in stride(from: 0, to: byteCount, by: size).enumerated() {
                if begun.count == pieces.count { try finishFirst() }
                let (piece, range) = (pieces[turn % pieces.count], start..<min(start + size, byteCount))
                begun.append((try begin(piece, range), piece, range))
            }
            while !begun.isEmpty { try finishFirst() }
        } catch {
            // Nothing runs on over what the next transfer fills; pieces that a copy may still touch are kept from it to the end.
            let ended = begun.allSatisfy { (try? $0.submission.wait()) != nil }
            if ended { giveBack(pieces) } else { abandoned.withLock { $0 += pieces } }
            throw error
        }
        giveBack(pieces)
    }

    private func copy(from source: cvk_buffer, _ sourceOffset: Int, to target: cvk_buffer, _ offset: Int, _ count: Int)
        throws(DeviceError) -> VulkanSubmission
    {
        let recording = try beginRecording()
        recording.copy(from: source.handle, sourceOffset, to: target.handle, offset, count)
        return try recording.submit()
    }

    private func takePieces(_ count: Int) throws(DeviceError) -> [cvk_buffer] {
        var pieces = staging.withLock { kept in
            defer { kept.removeLast(min(count, kept.count)) }
            return Array(kept.suffix(count))
        }
        do throws(DeviceError) {
            while pieces.count < count { pieces.append(try allocate(Self.pieceByteCount, CVK_READBACK)) }
        } catch {
            giveBack(pieces)
            throw error
        }
        return pieces
    }

    private func giveBack(_ pieces: [cvk_buffer]) {
        let surplus = staging.withLock { kept in
            kept += pieces
            defer { kept.removeLast(max(0, kept.count - Self.mostKept)) }
            return kept.dropFirst(Self.mostKept)
        }
        surplus.forEach(free)
    }
}
