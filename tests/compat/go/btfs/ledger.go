package main

import (
	"context"
	"encoding/hex"
	"errors"

	ic "github.com/libp2p/go-libp2p-core/crypto"
	"github.com/tron-us/go-btfs-common/crypto"
	"github.com/tron-us/go-btfs-common/ledger"
	escrowpb "github.com/tron-us/go-btfs-common/protos/escrow"
	ledgerpb "github.com/tron-us/go-btfs-common/protos/ledger"
	"github.com/tron-us/go-btfs-common/utils/grpc"
)

// The library wraps errors in its own words; within the call they are as they came, and so the wallet compares them.
// `connect` is WithContext of one of the library's clients.
func call[Client any](connect func(context.Context, func(context.Context, Client) error) error,
	ask func(context.Context, Client) error) error {
	var asked error
	err := connect(context.Background(), func(ctx context.Context, client Client) error {
		asked = ask(ctx, client)
		return asked
	})
	if asked != nil {
		return asked
	}
	return err
}

func accounts(o *options) error {
	for _, key := range []string{o.key, o.peerKey} {
		w, err := newWallet(key)
		if err != nil {
			return err
		}
		result, err := ledger.NewClient(o.server).ImportSignedAccount(context.Background(), w.key, w.key.GetPublic())
		if err != nil {
			return err
		}
		emit(line{"call": "SignedCreateAccount", "address": hex.EncodeToString(w.ledgerAddress), "balance": result.GetBalance()})
	}
	return nil
}

func signedAccountRequest(w *wallet) (*ledgerpb.SignedCreateAccountRequest, error) {
	signed, err := ledger.NewSignedPublicKey(w.key, w.key.GetPublic())
	if err != nil {
		return nil, err
	}
	return ledger.NewSignedCreateAccountRequest(signed.Key, signed.Signature), nil
}

func balance(o *options) error {
	w, err := newWallet(o.key)
	if err != nil {
		return err
	}
	escrowAddress, err := unhex(o.escrowAddress, "address of the escrow")
	if err != nil {
		return err
	}
	request, err := signedAccountRequest(w)
	if err != nil {
		return err
	}
	var answer *escrowpb.SignedBalanceResult
	err = call(grpc.EscrowClient(o.server).WithContext, func(ctx context.Context, client escrowpb.EscrowServiceClient) error {
		answer, err = client.BalanceOf(ctx, request)
		return err
	})
	if err != nil {
		return err
	}
	if err := verifyBalance(answer, escrowAddress); err != nil {
		return err
	}
	emit(line{"call": "BalanceOf", "balance": answer.Result.Balance, "time": answer.Result.EscrowSignedTime})
	return nil
}

func otherParty(o *options) (ic.PubKey, error) {
	address, err := unhex(o.address, "address")
	if err != nil {
		return nil, err
	}
	return crypto.ToPubKeyRaw(address)
}

func importAccount(o *options) error {
	key, err := otherParty(o)
	if err != nil {
		return err
	}
	account, err := ledger.NewClient(o.server).ImportAccount(context.Background(), key)
	if err != nil {
		return err
	}
	if account == nil {
		return errors.New("the answer has no account")
	}
	emit(line{"call": "CreateAccount", "address": hex.EncodeToString(account.Address.Key), "balance": account.Balance})
	return nil
}

func open(o *options) error {
	w, err := newWallet(o.key)
	if err != nil {
		return err
	}
	recipient, err := otherParty(o)
	if err != nil {
		return err
	}
	commit, err := ledger.NewChannelCommit(w.key.GetPublic(), recipient, o.amount)
	if err != nil {
		return err
	}
	signature, err := crypto.Sign(w.key, commit)
	if err != nil {
		return err
	}
	id, err := ledger.NewClient(o.server).CreateChannel(context.Background(), commit, signature)
	if err != nil {
		return err
	}
	emit(line{"call": "CreateChannel", "channel": id.Id, "payer_id": commit.PayerId})
	return nil
}

func emitChannel(call string, info *ledgerpb.ChannelInfo) {
	emit(line{
		"call":           call,
		"channel":        info.Id.Id,
		"from":           hex.EncodeToString(info.FromAccount.Address.Key),
		"from_balance":   info.FromAccount.Balance,
		"to":             hex.EncodeToString(info.ToAccount.Address.Key),
		"to_balance":     info.ToAccount.Balance,
		"close_sequence": info.CloseSequence,
	})
}

func info(o *options) error {
	return call(grpc.LedgerClient(o.server).WithContext, func(ctx context.Context, client ledgerpb.ChannelsClient) error {
		answer, err := client.GetChannelInfo(ctx, &ledgerpb.ChannelID{Id: o.channel})
		if err == nil {
			emitChannel("GetChannelInfo", answer)
		}
		return err
	})
}

func channelState(id, sequence int64, from, to ic.PubKey, fromBalance, toBalance int64) (*ledgerpb.ChannelState, error) {
	fromAccount, err := ledger.NewAccount(from, fromBalance)
	if err != nil {
		return nil, err
	}
	toAccount, err := ledger.NewAccount(to, toBalance)
	if err != nil {
		return nil, err
	}
	return ledger.NewChannelState(&ledgerpb.ChannelID{Id: id}, sequence, fromAccount, toAccount), nil
}

func closeChannel(o *options) error {
	from, err := newWallet(o.key)
	if err != nil {
		return err
	}
	to, err := newWallet(o.peerKey)
	if err != nil {
		return err
	}
	state, err := channelState(o.channel, o.sequence, from.key.GetPublic(), to.key.GetPublic(), o.from, o.to)
	if err != nil {
		return err
	}
	fromSignature, err := crypto.Sign(from.key, state)
	if err != nil {
		return err
	}
	toSignature, err := crypto.Sign(to.key, state)
	if err != nil {
		return err
	}
	switch o.signers {
	case "from":
		toSignature = nil
	case "to":
		fromSignature = nil
	}
	signed := ledger.NewSignedChannelState(state, fromSignature, toSignature)
	if err := ledger.NewClient(o.server).CloseChannel(context.Background(), signed); err != nil {
		return err
	}
	emit(line{"call": "CloseChannel", "channel": o.channel})
	return nil
}

func closed(o *options) error {
	w, err := newWallet(o.key)
	if err != nil {
		return err
	}
	return call(grpc.LedgerClient(o.server).WithContext, func(ctx context.Context, client ledgerpb.ChannelsClient) error {
		cursor := &ledgerpb.ClosedChannelCursor{Payer: &ledgerpb.PublicKey{Key: w.ledgerAddress}, CloseSequence: o.after}
		answer, err := client.GetNextClosedChannel(ctx, cursor)
		if err == nil {
			emitChannel("GetNextClosedChannel", answer)
		}
		return err
	})
}

func signedTransfer(w *wallet, recipient []byte, amount int64) (*ledgerpb.SignedTransferRequest, error) {
	request := &ledgerpb.TransferRequest{
		Payer:     &ledgerpb.PublicKey{Key: w.ledgerAddress},
		Recipient: &ledgerpb.PublicKey{Key: recipient},
		Amount:    amount,
	}
	signature, err := crypto.Sign(w.key, request)
	if err != nil {
		return nil, err
	}
	return &ledgerpb.SignedTransferRequest{TransferRequest: request, Signature: signature}, nil
}

func transferOf(o *options) (*ledgerpb.SignedTransferRequest, error) {
	w, err := newWallet(o.key)
	if err != nil {
		return nil, err
	}
	recipient, err := unhex(o.address, "address")
	if err != nil {
		return nil, err
	}
	return signedTransfer(w, recipient, o.amount)
}

func transfer(o *options) error {
	request, err := transferOf(o)
	if err != nil {
		return err
	}
	return call(grpc.LedgerClient(o.server).WithContext, func(ctx context.Context, client ledgerpb.ChannelsClient) error {
		result, err := client.Transfer(ctx, request)
		if err == nil {
			emit(line{"call": "Transfer", "balance": result.Balance})
		}
		return err
	})
}

func pay(o *options) error {
	request, err := transferOf(o)
	if err != nil {
		return err
	}
	return call(grpc.EscrowClient(o.server).WithContext, func(ctx context.Context, client escrowpb.EscrowServiceClient) error {
		result, err := client.Pay(ctx, request)
		if err == nil {
			emit(line{"call": "Pay", "balance": result.Balance})
		}
		return err
	})
}
