// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

/// Where a Windlass ledger is anchored: its owner has it emit the size and root of a checkpoint. An event costs a
/// fraction of what a stored word would, and stands in the transaction's info for ever; nothing is stored for an anchor.
contract WindlassAnchor {
    /// Who may anchor, and who was offered to.
    address public owner;
    address public pendingOwner;

    event Anchored(uint64 size, bytes32 root);
    event OwnershipOffered(address owner, address pendingOwner);
    event OwnershipTransferred(address previousOwner, address owner);

    error NotOwner();
    error NotPendingOwner();

    constructor() {
        owner = msg.sender;
    }

    modifier onlyOwner() {
        if (msg.sender != owner) revert NotOwner();
        _;
    }

    /// The log of `size` entries has the root `root` (RFC 6962).
    function anchor(uint64 size, bytes32 root) external onlyOwner {
        emit Anchored(size, root);
    }

    /// The first of two steps: the offer changes nothing until it is accepted, and another (or that of the zero
    /// address, which cannot accept) takes it back.
    function transferOwnership(address to) external onlyOwner {
        pendingOwner = to;
        emit OwnershipOffered(msg.sender, to);
    }

    /// The second: whoever was offered it proves to hold the key.
    function acceptOwnership() external {
        if (msg.sender != pendingOwner) revert NotPendingOwner();
        emit OwnershipTransferred(owner, msg.sender);
        owner = msg.sender;
        pendingOwner = address(0);
    }
}
