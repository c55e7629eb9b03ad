import Synchronization

/// Memory that kernels borrow for packed operands. Pieces are kept for the next kernel: giving them back to the system and
/// taking them again costs a page fault each 4 KiB.
package final class ScratchMemory: Sendable {
    /// `@unchecked Sendable`: a piece is held by one borrower or by the list, never by both.
    private struct Piece: @unchecked Sendable {
        let bytes: UnsafeMutableRawBufferPointer
    }
    private let free = Mutex<[Piece]>([])

    /// Calls `body` with `count` uninitialised elements on a cache line's border.
    package func withTemporary<Element: BitwiseCopyable, Result>(
        _ type: Element.Type, _ count: Int, _ body: (UnsafeMutablePointer<Element>) throws -> Result
    ) rethrows -> Result {
        let piece = borrow(max(64, count * MemoryLayout<Element>.stride))
        defer { free.withLock { $0.append(piece) } }
        return try body(piece.bytes.baseAddress!.assumingMemoryBound(to: type))
    }

    private func borrow(_ byteCount: Int) -> Piece {
        let (found, tooSmall) = free.withLock { pieces -> (Piece?, Piece?) in
            var best: Int?
            for index in pieces.indices where pieces[index].bytes.count >= byteCount {
                if best == nil || pieces[index].bytes.count < pieces[best!].bytes.count { best = index }
            }
            if let best { return (pieces.remove(at: best), nil) }
            // Growing replaces a piece, so that the list stays as short as the deepest borrowing was.
            return (nil, pieces.popLast())
        }
        if let found { return found }
        tooSmall?.bytes.deallocate()
        let size = (byteCount + 4095) & ~4095
        let alignment = size >= 1 << 21 ? 1 << 21 : 4096
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: alignment)
        HostMemory.adviseHugePages(bytes.baseAddress!, size)
        return Piece(bytes: bytes)
    }

    deinit { free.withLock { $0.forEach { $0.bytes.deallocate() } } }
}
