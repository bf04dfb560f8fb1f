package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/tron-us/go-btfs-common/crypto"
	"github.com/tron-us/go-btfs-common/ledger"
	escrowpb "github.com/tron-us/go-btfs-common/protos/escrow"
	exchangepb "github.com/tron-us/go-btfs-common/protos/exchange"
	ledgerpb "github.com/tron-us/go-btfs-common/protos/ledger"
	"github.com/tron-us/go-btfs-common/utils/grpc"
)

// As often as the wallet tries to close the channel of a deposit.
const closeTries = 10

// Prints the answer, and makes an error of a code that is not SUCCESS. The wallet looks into the response unasked, so
// one that is missing is a panic there.
func succeeded(call string, response *exchangepb.Response, more line) error {
	if response == nil {
		return fmt.Errorf("%s: the answer has no response", call)
	}
	answer := line{"call": call, "code": response.Code.String(), "message": string(response.ReturnMessage)}
	for name, value := range more {
		answer[name] = value
	}
	emit(answer)
	if response.Code != exchangepb.Response_SUCCESS {
		return errors.New(string(response.ReturnMessage))
	}
	return nil
}

func deposit(o *options) error {
	w, err := newWallet(o.key)
	if err != nil {
		return err
	}
	prepared, err := prepareDeposit(o, w)
	if err != nil {
		return err
	}
	transaction := prepared.GetTronTransaction()
	if err := w.signTransaction(transaction); err != nil {
		return err
	}
	err = call(grpc.ExchangeClient(o.server).WithContext, func(ctx context.Context, client exchangepb.ExchangeClient) error {
		answer, err := client.Deposit(ctx, &exchangepb.DepositRequest{Id: prepared.Id, SignedTronTransaction: transaction})
		if err != nil {
			return err
		}
		return succeeded("Deposit", answer.Response, line{"id": prepared.Id})
	})
	if err != nil {
		return err
	}
	state, err := confirm(o, prepared)
	if err != nil {
		return err
	}
	return finish(o, w, state)
}

func prepareDeposit(o *options, w *wallet) (*exchangepb.PrepareDepositResponse, error) {
	var prepared *exchangepb.PrepareDepositResponse
	err := call(grpc.ExchangeClient(o.server).WithContext, func(ctx context.Context, client exchangepb.ExchangeClient) error {
		var err error
		prepared, err = client.PrepareDeposit(ctx, &exchangepb.PrepareDepositRequest{
			Amount: o.amount, OutTxId: time.Now().UnixNano(), UserAddress: w.ledgerAddress})
		if err != nil {
			return err
		}
		return succeeded("PrepareDeposit", prepared.Response, line{"id": prepared.Id})
	})
	return prepared, err
}

// Asks until the deposit has succeeded, which gives the gateway's closing state, or failed.
func confirm(o *options, prepared *exchangepb.PrepareDepositResponse) (*ledgerpb.SignedChannelState, error) {
	raw := prepared.GetTronTransaction().GetRawData()
	time.Sleep(time.Until(time.UnixMilli(raw.GetTimestamp()).Add(o.first)))
	end := time.UnixMilli(raw.GetExpiration()).Add(o.patience)
	for ; time.Now().Before(end); time.Sleep(o.every) {
		answer, err := askOnce(o, prepared.Id)
		if err != nil {
			emit(line{"call": "ConfirmDeposit", "again": err.Error()})
			continue
		}
		code, state := answer.GetResponse().GetCode(), answer.GetSuccessChannelState()
		emit(line{"call": "ConfirmDeposit", "code": code.String(), "message": string(answer.GetResponse().GetReturnMessage()),
			"has_state": state != nil, "has_channel": state.GetChannel() != nil})
		switch {
		case code == exchangepb.Response_TRANSACTION_PENDING || state == nil: // in this order, as the wallet has it
		case code == exchangepb.Response_TRANSACTION_FAILED:
			return nil, errors.New("the deposit failed")
		case code == exchangepb.Response_SUCCESS:
			return state, nil
		}
	}
	return nil, errors.New("the deposit was never confirmed")
}

func askOnce(o *options, id int64) (answer *exchangepb.ConfirmDepositResponse, err error) {
	err = call(grpc.ExchangeClient(o.server).WithContext, func(ctx context.Context, client exchangepb.ExchangeClient) error {
		answer, err = client.ConfirmDeposit(ctx, &exchangepb.ConfirmDepositRequest{Id: id})
		return err
	})
	return answer, err
}

// Adds the wallet's signature to the gateway's, and closes the channel.
func finish(o *options, w *wallet, state *ledgerpb.SignedChannelState) (err error) {
	if state.ToSignature, err = w.signChannel(state.GetChannel()); err != nil {
		return err
	}
	for try := 0; try < closeTries; try++ {
		err = call(grpc.EscrowClient(o.server).WithContext, func(ctx context.Context, client escrowpb.EscrowServiceClient) error {
			_, err := client.CloseChannel(ctx, state)
			return err
		})
		if err == nil {
			emit(line{"call": "CloseChannel", "channel": state.Channel.Id.Id, "to_balance": state.Channel.To.Balance})
			return nil
		}
		time.Sleep(o.every)
	}
	return err
}

func withdraw(o *options) error {
	w, err := newWallet(o.key)
	if err != nil {
		return err
	}
	prepared, err := prepareWithdraw(o, w)
	if err != nil {
		return err
	}
	id, err := openToExchange(o, w, prepared)
	if err != nil || o.abandon {
		return err
	}
	request, err := withdrawRequest(w, prepared, id, o.amount)
	if err != nil {
		return err
	}
	return call(grpc.ExchangeClient(o.server).WithContext, func(ctx context.Context, client exchangepb.ExchangeClient) error {
		answer, err := client.Withdraw(ctx, request)
		if err != nil {
			return err
		}
		return succeeded("Withdraw", answer.Response, line{"id": prepared.Id, "channel": id})
	})
}

func prepareWithdraw(o *options, w *wallet) (*exchangepb.PrepareWithdrawResponse, error) {
	external := w.tronAddress
	if o.external != "" {
		var err error
		if external, err = unhex(o.external, "TRON address"); err != nil {
			return nil, err
		}
	}
	var prepared *exchangepb.PrepareWithdrawResponse
	err := call(grpc.ExchangeClient(o.server).WithContext, func(ctx context.Context, client exchangepb.ExchangeClient) error {
		var err error
		prepared, err = client.PrepareWithdraw(ctx, &exchangepb.PrepareWithdrawRequest{
			Amount: o.amount, OutTxId: time.Now().UnixNano(), UserAddress: w.ledgerAddress, UserExternalAddress: external})
		if err != nil {
			return err
		}
		exchange := hex.EncodeToString(prepared.LedgerExchangeAddress)
		return succeeded("PrepareWithdraw", prepared.Response, line{"id": prepared.Id, "exchange": exchange})
	})
	return prepared, err
}

func openToExchange(o *options, w *wallet, prepared *exchangepb.PrepareWithdrawResponse) (int64, error) {
	exchange, err := crypto.ToPubKeyRaw(prepared.LedgerExchangeAddress)
	if err != nil {
		return 0, err
	}
	commit, err := ledger.NewChannelCommit(w.key.GetPublic(), exchange, o.amount)
	if err != nil {
		return 0, err
	}
	commit.PayerId += prepared.Id
	signature, err := w.signChannel(commit)
	if err != nil {
		return 0, err
	}
	var id *ledgerpb.ChannelID
	err = call(grpc.EscrowClient(o.server).WithContext, func(ctx context.Context, client escrowpb.EscrowServiceClient) error {
		id, err = client.CreateChannel(ctx, ledger.NewSignedChannelCommit(commit, signature))
		return err
	})
	if err != nil {
		return 0, err
	}
	emit(line{"call": "CreateChannel", "channel": id.Id})
	return id.Id, nil
}

// Both outcomes, signed in advance by the payer alone.
func withdrawRequest(w *wallet, prepared *exchangepb.PrepareWithdrawResponse, channel, amount int64) (
	*exchangepb.WithdrawRequest, error) {
	exchange, err := crypto.ToPubKeyRaw(prepared.LedgerExchangeAddress)
	if err != nil {
		return nil, err
	}
	request := &exchangepb.WithdrawRequest{Id: prepared.Id}
	for _, outcome := range []struct {
		fromBalance, toBalance int64
		field                  **ledgerpb.SignedChannelState
	}{
		{0, amount, &request.SuccessChannelState},
		{amount, 0, &request.FailureChannelState},
	} {
		state, err := channelState(channel, 1, w.key.GetPublic(), exchange, outcome.fromBalance, outcome.toBalance)
		if err != nil {
			return nil, err
		}
		signature, err := w.signChannel(state)
		if err != nil {
			return nil, err
		}
		*outcome.field = ledger.NewSignedChannelState(state, signature, nil)
	}
	return request, nil
}

func query(o *options) error {
	return call(grpc.ExchangeClient(o.server).WithContext, func(ctx context.Context, client exchangepb.ExchangeClient) error {
		answer, err := client.QueryTransaction(ctx, &exchangepb.QueryTransactionRequest{Id: o.id})
		if err != nil {
			return err
		}
		response := answer.GetResponse()
		emit(line{"call": "QueryTransaction", "code": response.GetCode().String(), "message": string(response.GetReturnMessage()),
			"amount": answer.Amount, "type": string(answer.Type), "tron_status": string(answer.TronStatus),
			"channel_status": string(answer.ChannelStatus)})
		return nil
	})
}

func activate(o *options) error {
	w, err := newWallet(o.key)
	if err != nil {
		return err
	}
	return call(grpc.ExchangeClient(o.server).WithContext, func(ctx context.Context, client exchangepb.ExchangeClient) error {
		answer, err := client.ActivateAccountOnChain(ctx, &exchangepb.ActivateAccountRequest{Address: w.tronAddress})
		if err != nil {
			return err
		}
		return succeeded("ActivateAccountOnChain", answer.Response, line{"transaction": answer.TxId})
	})
}
