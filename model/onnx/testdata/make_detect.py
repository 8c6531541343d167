"""Writes detect/: heads of detectors as PyTorch 1.13 exports them, with random weights, and the probability of each
class that NumPy finds in their outputs: the highest of all candidates. Input: ((37 i) mod 101)/50 - 1."""
import gzip,json,os,torch,torch.nn as nn,numpy as np
os.makedirs('detect',exist_ok=True)
torch.manual_seed(3)
class Back(nn.Module):
    def __init__(s):
        super().__init__(); s.a=nn.Conv2d(3,4,3,2,1); s.b=nn.Conv2d(4,5,3,2,1); s.c=nn.Conv2d(5,6,3,2,1)
    def forward(s,x):
        a=torch.relu(s.a(x)); b=torch.relu(s.b(a)); return b,torch.relu(s.c(b))
def grid(h,w): 
    y,x=torch.meshgrid(torch.arange(h).float(),torch.arange(w).float(),indexing='ij'); return torch.stack((x,y),-1)
class Nms(torch.autograd.Function):
    @staticmethod
    def forward(ctx,b,s): return torch.zeros(1,3,dtype=torch.long)
    @staticmethod
    def symbolic(g,b,s): return g.op('NonMaxSuppression',b,s,g.op('Constant',value_t=torch.tensor([5])),g.op('Constant',value_t=torch.tensor([.5])),g.op('Constant',value_t=torch.tensor([.1])))
def nms(b,s):
    nms.scores=s
    return Nms.apply(b,s)
class V8(nn.Module):
    def __init__(s,nc=6,reg=4,permute=False,seg=False,v10=False,nms=False):
        super().__init__(); s.bk=Back(); s.nc,s.reg=nc,reg; s.permute=permute; s.seg=seg; s.v10=v10; s.nms=nms
        s.box=nn.ModuleList([nn.Conv2d(5,4*reg,1),nn.Conv2d(6,4*reg,1)]); s.cls=nn.ModuleList([nn.Conv2d(5,nc,1),nn.Conv2d(6,nc,1)])
        s.dfl=nn.Conv2d(reg,1,1,bias=False); s.dfl.weight.data[:]=torch.arange(reg).float().view(1,reg,1,1)
        s.mc=nn.ModuleList([nn.Conv2d(5,5,1),nn.Conv2d(6,5,1)])
    def forward(s,x):
        f=s.bk(x); no=s.nc+4*s.reg; bs=x.shape[0]
        lv=[torch.cat((s.box[i](f[i]),s.cls[i](f[i])),1) for i in range(2)]
        cat=torch.cat([l.view(bs,no,-1) for l in lv],2)
        box,cls=cat.split((4*s.reg,s.nc),1)
        b,c,a=box.shape
        d=s.dfl(box.view(b,4,s.reg,a).transpose(2,1).softmax(1)).view(b,4,a)
        lt,rb=d.chunk(2,1)
        anc=torch.cat([(grid(l.shape[2],l.shape[3])+.5).view(-1,2) for l in lv]).t().unsqueeze(0)
        x1=anc-lt; x2=anc+rb
        dbox=torch.cat(((x1+x2)/2,x2-x1),1)*4.
        y=torch.cat((dbox,cls.sigmoid()),1)
        if s.seg: y=torch.cat((y,torch.cat([s.mc[i](f[i]).view(bs,5,-1) for i in range(2)],2)),1)
        if s.v10:
            p=y.permute(0,2,1); boxes,scores=p.split([4,s.nc],-1)
            idx=scores.amax(-1).topk(8)[1].unsqueeze(-1)
            boxes=boxes.gather(1,idx.repeat(1,1,4)); scores=scores.gather(1,idx.repeat(1,1,s.nc))
            sc,i2=scores.flatten(1).topk(8)
            lab=i2%s.nc; ii=i2//s.nc
            boxes=boxes.gather(1,ii.unsqueeze(-1).repeat(1,1,4))
            return torch.cat([boxes,sc.unsqueeze(-1),lab.unsqueeze(-1).float()],-1)
        if s.nms: return nms(y[:,:4].permute(0,2,1),y[:,4:])
        return y.permute(0,2,1) if s.permute else y
class V5(nn.Module):
    def __init__(s,nc=6,style='split'):
        super().__init__(); s.bk=Back(); s.nc=nc; s.style=style; s.m=nn.ModuleList([nn.Conv2d(5,3*(5+nc),1),nn.Conv2d(6,3*(5+nc),1)])
    def forward(s,x):
        f=s.bk(x); z=[]
        for i in range(2):
            v=s.m[i](f[i]); bs,_,ny,nx=v.shape
            v=v.view(bs,3,5+s.nc,ny,nx).permute(0,1,3,4,2).contiguous()
            g=grid(ny,nx).view(1,1,ny,nx,2); ag=torch.tensor([[10.,13],[16,30],[33,23]]).view(1,3,1,1,2)
            if s.style in('split','nms'):
                xy,wh,conf=v.sigmoid().split((2,2,s.nc+1),4)
                y=torch.cat(((xy*2+g-.5)*4,(wh*2)**2*ag,conf),4)
            elif s.style=='slice':
                y=v.sigmoid()
                y=torch.cat(((y[...,0:2]*2+g-.5)*4,(y[...,2:4]*2)**2*ag,y[...,4:]),-1)
            elif s.style=='set':
                y=v.sigmoid()
                y[...,0:2]=(y[...,0:2]*2+g-.5)*4; y[...,2:4]=(y[...,2:4]*2)**2*ag
            elif s.style=='v3':
                y=torch.cat((v[...,0:2].sigmoid()+g,v[...,2:4].exp()*ag,v[...,4:].sigmoid()),-1)
            z.append(y.view(bs,-1,s.nc+5))
        z=torch.cat(z,1)
        return nms(z[...,:4],(z[...,5:]*z[...,4:5]).permute(0,2,1)) if s.style=='nms' else z
class X(nn.Module):
    def __init__(s,nc=6):
        super().__init__(); s.bk=Back(); s.nc=nc; m=lambda k:nn.ModuleList([nn.Conv2d(5,k,1),nn.Conv2d(6,k,1)]); s.r,s.o,s.c=m(4),m(1),m(nc)
    def forward(s,x):
        f=s.bk(x); o=[torch.cat((s.r[i](f[i]),s.o[i](f[i]).sigmoid(),s.c[i](f[i]).sigmoid()),1) for i in range(2)]
        return torch.cat([t.flatten(2) for t in o],2).permute(0,2,1)
class Detr(nn.Module):
    def __init__(s,mode,nc=6):
        super().__init__(); s.bk=Back(); s.q=nn.Parameter(torch.randn(1,9,6)); s.cl=nn.Linear(6,nc); s.bx=nn.Linear(6,4); s.mode=mode
    def forward(s,x):
        f=s.bk(x)[1].flatten(2).transpose(1,2)
        a=torch.softmax(s.q@f.transpose(1,2),-1)@f
        a=a+s.q
        c=s.cl(a); b=s.bx(a).sigmoid()
        if s.mode=='rt': return torch.cat((b,c.sigmoid()),-1)
        if s.mode=='rt2': return torch.cat((torch.relu(s.bx(a)),c.sigmoid()),-1)
        if s.mode=='softmax': return c.softmax(-1),b
        if s.mode=='sigmoid': return b,c.sigmoid()
        return c,b
x=torch.from_numpy((((np.arange(3*16*16)*37)%101)/50-1).astype('f4').reshape(1,3,16,16))
nets={'v8':V8(),'v8seg':V8(seg=True),'v8one':V8(nc=1),'v10':V8(v10=True),'v5split':V5(),'v5slice':V5(style='slice'),'v5set':V5(style='set'),'v3':V5(style='v3'),'x':X(),
 'rt':Detr('rt'),'ssd':Detr('softmax'),'nas':Detr('sigmoid'),'detr':Detr(''),'nms':V5(style='nms'),'nms8':V8(nms=True)}
sg=lambda v:1/(1+np.exp(-v))
exp={}
for k,m in nets.items():
    m.eval()
    with torch.no_grad(): y=m(x)
    ys=[t.numpy() for t in (y if isinstance(y,tuple) else (y,))]
    torch.onnx.export(m,x,f'detect/{k}.onnx',opset_version=13,output_names=(['logits','pred_boxes'] if k in('ssd','detr') else ['boxes','scores'] if k=='nas' else ['output0']))
    o=ys[0]
    if k[:3]=='nms': p=nms.scores[0].amax(-1).detach().numpy()
    elif k in('v8','v8one'): p=o[0,4:].max(1)
    elif k=='v8seg': p=o[0,4:10].max(1)
    elif k in('v8perm','rt','rt2'): p=o[0,:,4:].max(0)
    elif k=='v10':
        m.v10=False
        with torch.no_grad(): p=m(x).numpy()[0,4:].max(1)
    elif k[0]=='v' or k=='x': p=(o[0,:,5:]*o[0,:,4:5]).max(0)
    elif k=='ssd': p=o[0].max(0)
    elif k=='nas': p=ys[1][0].max(0)
    else: p=sg(o[0].max(0))
    data=open(f'detect/{k}.onnx','rb').read(); os.remove(f'detect/{k}.onnx')
    with open(f'detect/{k}.onnx.gz','wb') as f: f.write(gzip.compress(data,9,mtime=0))
    exp[k]=[round(float(v),6) for v in p]
json.dump(exp,open('detect/expected.json','w'))
